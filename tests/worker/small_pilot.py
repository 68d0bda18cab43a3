"""A pilot that runs in a moment: two sites, two arms, two seeds, two rounds."""

SMALL = """
name = "small"
rounds = 2
seeds = [1, 2]
sites = [{ name = "a", data = { dataset = "pendigits" } }, { name = "b", data = { dataset = "pendigits" } }]
arms = [{ name = "alone", method = "local_only" }, { name = "mean", method = "plain_average" }]
data = { rows_per_site = 60 }
model = { kind = "mlp", hidden = [8] }
train = { warmup_epochs = 1 }
"""
