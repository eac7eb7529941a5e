"""Load on the sample upstream, through the gateway: `docker compose --profile load run --rm load`.

Two kinds of clients, as a gateway meets them: people who look at lists and things, now and then slowly, and programs
that send and expect a created thing. An answer that is not the expected one counts as a failure.
"""

from __future__ import annotations

import random

from locust import HttpUser, between, task

USERS = 11
PRODUCTS = 6


class Visitor(HttpUser):
    """Looks at pages, lists and things."""

    weight = 4
    wait_time = between(0.1, 1.0)

    @task(5)
    def page(self) -> None:
        self.client.get("/")

    @task(10)
    def products(self) -> None:
        self.client.get(f"/products?page={random.randint(1, 2)}", name="/products")

    @task(10)
    def product(self) -> None:
        self.client.get(f"/products/{random.randint(1, PRODUCTS)}", name="/products/{id}")

    @task(2)
    def large(self) -> None:
        self.client.get("/large?bytes=262144", name="/large")

    @task(1)
    def slow(self) -> None:
        self.client.get("/slow?ms=300", name="/slow")


class Program(HttpUser):
    """Reads and creates."""

    weight = 1
    wait_time = between(0.05, 0.2)

    @task(4)
    def user(self) -> None:
        self.client.get(f"/users/{random.randint(1, USERS)}", name="/users/{id}")

    @task(1)
    def create(self) -> None:
        with self.client.post("/users", json={"name": "Ada"}, catch_response=True) as answer:
            if answer.status_code != 201:
                answer.failure(f"{answer.status_code}, not 201")
