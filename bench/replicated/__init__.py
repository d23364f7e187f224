"""What `bench/replication.py` is made of: servers, writers, the lag of stores, and its parts."""
