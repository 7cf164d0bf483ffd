"""The console: pages for people at `/`, made on the server, which ask what clients ask (`asking`) and nothing else."""
