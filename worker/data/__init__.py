"""Readers: from files to the values that `dimat` works on."""
