// A small client of Sendcloud's orders, and what `conformance serve sendcloud` has to say of it.
//
//   conformance serve sendcloud &
//   node docs/examples/client.mjs [http://127.0.0.1:8080/api/v3]
//
// Needs Node.js 18 or later and nothing else.

const url = process.argv[2] ?? "http://127.0.0.1:8080/api/v3";
const control = new URL("/_control", url).href;
const keys = `${process.env.SENDCLOUD_PUBLIC_KEY ?? "reference-public-key"}:${process.env.SENDCLOUD_SECRET_KEY ?? "reference-secret-key"}`;

// The client: sends orders; when an answer is lost it looks first what became of them.
async function send(orders) {
  const headers = { "content-type": "application/json", authorization: `Basic ${btoa(keys)}` };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await fetch(`${url}/orders`, { method: "POST", headers, body: JSON.stringify(orders) });
      if (answer.status !== 429 || attempt > 3) return answer.status;
      await new Promise((go) => setTimeout(go, 1000 * Number(answer.headers.get("retry-after") ?? 1)));
    } catch (error) {
      if (attempt > 3) throw error;
      const there = await fetch(`${url}/orders?page_size=200`, { headers }).then((answer) => answer.json());
      const known = new Set(there.data.map((order) => order.order_id));
      orders = orders.filter((order) => !known.has(order.order_id));
      if (orders.length === 0) return "stored already";
    }
  }
}

function order(number, quantity) {
  const price = { value: 3.5, currency: "EUR" };
  return {
    order_id: `shop-${number}`,
    order_number: `N${number}`,
    order_details: {
      integration: { id: 7 },
      status: { code: "fulfilled" },
      order_created_at: new Date().toISOString(),
      order_items: [{ name: "Beeswax candle", quantity, total_price: price }],
    },
    payment_details: { total_price: price, status: { code: "paid" } },
  };
}

// The test: asks the endpoint for trouble, and afterwards for what was wrong.
async function ask(path, told) {
  const answer = await fetch(control + path, told && { method: "POST", body: JSON.stringify(told) });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

await ask("/reset", {});
console.log("two orders:", await send([order(1, 2), order(2, 1)]));

await ask("/fail", { what: "throttle", retry_after: 0.1 });
console.log("throttled:", await send([order(3, 1)]));

await ask("/fail", { what: "reset" });
console.log("connection lost:", await send([order(4, 1)]));
console.log("violations so far:", (await ask("/violations")).length);

console.log("a quantity as a text:", await send([order(5, "2")]));
for (const each of await ask("/violations")) {
  console.log(`${each.requirement} ${each.pointer}: expected ${each.expected}, got ${each.got}`);
}
console.log("orders stored:", (await ask("/orders")).length);
