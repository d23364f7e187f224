"""The server of consoles in browsers: textual-serve's, which answers nobody without the key."""

from __future__ import annotations

import logging
import sys

from aiohttp import web
from aiohttp.typedefs import Handler
from textual_serve.server import Server

from isinglass_console.page_key import COOKIE, LOOPBACK, has_key, is_own, site

TITLE = "isinglass"


class ConsoleServer(Server):
    """Serves one command's terminal to pages that have the key.

    Args:
        command: what is started for each page.
        port: on the loopback address.
        key: what the first request must bring.
    """

    def __init__(self, command: str, port: int, key: str) -> None:
        super().__init__(command, host=LOOPBACK, port=port, title=TITLE)
        self._key = key

    @property
    def first_address(self) -> str:
        """What to open first."""
        return f"http://{site(self.port)}/?key={self._key}"

    def initialize_logging(self) -> None:
        """Log what is wrong, without the values of variables."""
        logging.basicConfig(level=logging.WARNING, stream=sys.stderr)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._guard)
        return app

    async def on_startup(self, _app: web.Application) -> None:
        """Say nothing yet: nobody is answered before the port is open."""

    def serve(self, debug: bool = False) -> None:
        """Serve until interrupted; say where it is once it answers."""
        self.debug = debug
        self.initialize_logging()
        web.run_app(
            self._make_app(), host=self.host, port=self.port, print=self._say, access_log=None
        )

    def _say(self, _where: str) -> None:
        print(f"Open {self.first_address}\nCtrl+C ends it.", flush=True)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer those who have the key, and who come from this site."""
        if not is_own(request.headers, self.port):
            raise web.HTTPForbidden(text="this console is for its own page alone")
        if request.path == "/" and has_key(self._key, request.query.get("key")):
            answer = web.HTTPFound("/")
            answer.set_cookie(COOKIE, self._key, httponly=True, samesite="Strict")
            raise answer
        if not has_key(self._key, request.cookies.get(COOKIE)):
            raise web.HTTPForbidden(
                text="open the address that `isinglass console --serve` printed"
            )
        return await handler(request)
