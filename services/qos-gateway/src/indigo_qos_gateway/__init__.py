"""CDMI storage-QoS gateway: storage classes, transitions, back-ends."""
