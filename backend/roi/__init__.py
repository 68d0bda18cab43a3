"""What a pilot is worth: measured accuracy against the control arm, valued by the pilot's own assumptions."""
