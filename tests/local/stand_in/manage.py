"""Stands in for Django's command line: what `make run` calls, with a real connection and nothing else."""

import json
import os
import sys
import time

import psycopg

from config.local.endpoints import database_config
from config.local.postgres import lease_if_embedded


def main(command: str) -> None:
    database = database_config()
    connection = psycopg.connect(
        host=database["HOST"], port=database["PORT"], user=database["USER"], dbname=database["NAME"]
    )
    with connection:
        connection.execute("CREATE TABLE IF NOT EXISTS visits (command text)")
        connection.execute("INSERT INTO visits VALUES (%s)", [command])
    if command == "seed_demo":
        sys.stderr.write("half of the demo is there\n")
        time.sleep(float(os.environ.get("SEED_SECONDS", "0")))
        sign_in = {
            "url": "http://acme.localhost/admin/",
            "email": "olga@example.com",
            "password": "let-me-in",
        }
        sys.stdout.write(json.dumps({"sign_in": [sign_in]}) + "\n")


if __name__ == "__main__":
    with lease_if_embedded():
        main(sys.argv[1])
