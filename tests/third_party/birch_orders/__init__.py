"""The pack of Birch for bulk-order-conformance."""
