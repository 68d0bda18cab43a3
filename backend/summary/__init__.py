"""What a pilot found, in one sentence and one table: who gains, who loses, against doing nothing."""
