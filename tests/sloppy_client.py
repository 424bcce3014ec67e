"""Clients of Sendcloud's orders: one with every mistake that is usual, and the same one put right."""

import contextlib
from dataclasses import dataclass

import httpx
import requests


@dataclass
class Sale:
    """What a shop knows of an order."""

    number: int
    quantity: int = 2
    cents: int = 1250
    # What Sendcloud calls the order, once it has said so.
    known_as: int | None = None


class Requests:
    """HTTP by requests."""

    lost = (requests.ConnectionError, requests.Timeout)

    def __init__(self, url, public_key, secret_key):
        self._url = url
        self._session = requests.Session()
        self._session.auth = (public_key, secret_key)

    def post(self, path, body):
        return self._session.post(self._url + path, json=body, timeout=5)

    def get(self, path, **query):
        return self._session.get(self._url + path, params=query, timeout=5)

    def close(self):
        self._session.close()


class Httpx:
    """HTTP by httpx."""

    lost = (httpx.TransportError,)

    def __init__(self, url, public_key, secret_key):
        self._client = httpx.Client(base_url=url, auth=(public_key, secret_key), timeout=5)

    def post(self, path, body):
        return self._client.post(path, json=body)

    def get(self, path, **query):
        return self._client.get(path, params=query)

    def close(self):
        self._client.close()


class Sloppy:
    """Numbers as texts, prices without a currency, ids as numbers, all orders at once, and another try at once."""

    def __init__(self, http, integration):
        self._http = http
        self._integration = integration

    def send(self, sales):
        """Send all sales; gives the answer."""
        body = [self.order(each) for each in sales]
        try:
            return self._http.post("/orders", body)
        except self._http.lost:
            return self._http.post("/orders", body)

    def order(self, sale):
        order = {
            "order_id": f"shop-{sale.number}",
            "order_number": f"N{sale.number}",
            "order_details": {
                "integration": {"id": str(self._integration)},
                "status": {"code": "fulfilled"},
                "order_created_at": "2026-01-14T09:30:00.000Z",
                "order_items": [
                    {"name": "Beeswax candle", "quantity": str(sale.quantity), "total_price": {"value": 25}}
                ],
            },
            "payment_details": {"total_price": {"value": sale.cents / 50}, "status": {"code": "paid"}},
            "shipping_address": {
                "name": "Jo Berg",
                "address_line_1": "Marktplein",
                "house_number": "15",
                "postal_code": "5341 EA",
                "city": "Oss",
                "country_code": "NL",
            },
        }
        if sale.known_as:
            order["id"] = sale.known_as
        return order


class Careful(Sloppy):
    """The same client, put right."""

    def send(self, sales):
        """Send all sales, a hundred at a time; gives the last answer."""
        answer = None
        for start in range(0, len(sales), 100):
            answer = self._send(sales[start : start + 100])
        return answer

    def _send(self, sales):
        for _ in range(2):
            with contextlib.suppress(*self._http.lost):
                return self._http.post("/orders", [self.order(each) for each in sales])
            # Nobody knows what became of the batch, so only what is not there is sent again.
            sales = [each for each in sales if not self._there(each)]
            if not sales:
                return None
        raise ConnectionError("Sendcloud cannot be reached")

    def _there(self, sale):
        return bool(self._http.get("/orders", order_id=f"shop-{sale.number}").json()["data"])

    def order(self, sale):
        order = super().order(sale)
        details = order["order_details"]
        details["integration"]["id"] = self._integration
        details["order_items"][0]["quantity"] = sale.quantity
        details["order_items"][0]["total_price"]["currency"] = "EUR"
        order["payment_details"]["total_price"]["currency"] = "EUR"
        if sale.known_as:
            order["id"] = str(sale.known_as)
        return order
