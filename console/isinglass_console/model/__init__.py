"""What the console knows, as pure functions and small state: no Textual, no input or output.

Everything here takes the time as an argument and gives the same answer for the same frames, so
pause, rewind and a test differ from live only in which frames they are handed.
"""
