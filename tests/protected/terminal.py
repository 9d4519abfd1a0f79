"""Runs a command at a terminal of its own and types lines when they are asked for: N LINE... COMMAND..."""

import os
import pty
import sys
import termios

number = int(sys.argv[1])
lines, command = sys.argv[2 : 2 + number], sys.argv[2 + number :]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
shown = b""
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:
        break
    if not read:
        break
    shown += read
    if lines and shown.endswith(b": "):
        # A person types more slowly than a program turns the echo off.
        while termios.tcgetattr(terminal)[3] & termios.ECHO:
            pass
        os.write(terminal, lines.pop(0).encode() + b"\n")
sys.stdout.write(shown.decode())
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
