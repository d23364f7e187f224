"""The views as pure functions of a scene, and the few Textual screens that show them."""
