"""The transport: requests over real HTTP, with exact control of bytes and headers. The only door to urllib3."""

from conformance.transport.carrier import HttpTransport, Transport
from conformance.transport.room import Room
from conformance.transport.tls import Files
from conformance.transport.wire import MAX_BODY, check_ways

__all__ = ["MAX_BODY", "Files", "HttpTransport", "Room", "Transport", "check_ways"]
