"""The program: settings, wiring and command line. Imports all; nothing imports it."""
