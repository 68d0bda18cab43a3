"""What a central server would do: the mean of all sites, weighed by their rows, given back to all.

The best-connected site is the server, and every site is linked to it, whatever the topology. Not aligned: meant for sites that
start alike, as a server has them do (`init: common`).
"""

from dimat.merging import plain_average

METHOD = plain_average.METHOD
"""Reference: McMahan et al. 2017, "Communication-Efficient Learning of Deep Networks from Decentralized Data" (FedAvg). The
weights are not the method's: see `steps.gather`."""
