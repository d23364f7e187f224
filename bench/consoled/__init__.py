"""The parts of `bench/console.py`: the stage it looks at, terminals, paints, and a long day."""
