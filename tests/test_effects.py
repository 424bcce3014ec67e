"""What a run would create, told beforehand, and what it leaves behind, told in the end."""

import pytest
import sendcloud_variants
from endpoints import TOKEN, Endpoint
from variants import CREDENTIALS, NOW, cases, pack, served
from wrapping import Said

from conformance import changes, plan, resources
from conformance.batches import Composer, Unmade
from conformance.model import Expect
from conformance.plugins import forecasting

KEYS = {"SENDCLOUD_PUBLIC_KEY": CREDENTIALS["public_key"], "SENDCLOUD_SECRET_KEY": CREDENTIALS["secret_key"]}
ACCOUNT = pack("sendcloud").provider.folders.fixtures / "account.toml"


# Beforehand


def composed_lines(made, todo):
    """The lines of all orders that may be created, by composing every one of them; cases of one request only."""
    operation = made.provider.main
    composer, now = Composer(made, 1, "tests1"), NOW
    orders = []
    for atom in todo.atoms:
        if atom.expect is not Expect.REFUSE:
            try:
                orders += composer.orders([atom], "", now).orders
            except Unmade:
                continue
    for case in todo.singles:
        if case.expect not in (Expect.REFUSE, Expect.DENY):
            composed = composer.step(case, 0, "", now)
            orders += composed.orders if composed.operation == operation.id else ()
    return sum(len(changes.select(each, f"{operation.order.lines}/*")) for each in orders)


@pytest.mark.parametrize("name", resources.providers())
def test_lines_are_those_of_the_composed_orders(name):
    made = pack(name)
    todo = plan.make(made, [case.id for case in made.cases])
    single = plan.Plan(todo.atoms, tuple(case for case in todo.singles if len(case.steps) == 1), None)
    assert forecasting.lines(made, single) == composed_lines(made, single) > 50
    # Scenarios have orders as well.
    assert forecasting.lines(made, todo) > forecasting.lines(made, single)


def test_batches_are_counted_line_by_line():
    """A batch of a hundred orders has a hundred lines, an order with a second line has two, and a refused one none."""
    made = pack("sendcloud")

    def lines(*names):
        todo = plan.make(made, names)
        assert all(case.id in names for case in todo.singles)
        return forecasting.lines(made, todo)

    assert lines("SC-025/body.batch.largest") == 100
    assert lines("SC-051/order_number.too-short") == 0
    # The update in its third step has to be refused.
    assert lines("SC-280/update.beside-a-bad-order") == 1


def test_the_forecast_tells_the_lines(run_pytest, tmp_path):
    outcome = run_pytest(tmp_path, "--provider=sendcloud", "--collect-only", "-q", "--case=SC-025/body.batch.largest")
    [line] = [line for line in outcome.lines if line.startswith("sendcloud: a run would send")]
    assert line.endswith(", and create up to 100 orders with 100 lines")


# In the end


def swept(run_pytest, folder, around, *selected):
    """A run against Sendcloud's reference endpoint with something around it."""
    chosen = [f"--case={each}" for each in selected or cases(pack("sendcloud"), "SC-030", "SC-284")]
    with served(pack("sendcloud"), around) as url:
        arguments = ("--provider=sendcloud", f"--endpoint={url}", f"--account={ACCOUNT}", "--report=out")
        return run_pytest(folder, *arguments, *chosen, env=KEYS)


class Undeletable(sendcloud_variants.Around):
    """Refuses to delete."""

    async def answer(self, call):
        return Said(405, []) if call.method == "DELETE" else await super().answer(call)


def test_what_was_cleaned_up_is_counted(run_pytest, tmp_path):
    outcome = swept(run_pytest, tmp_path, lambda app: app)
    counts = outcome.report["counts"]
    assert outcome.report["run"]["left"] == []
    assert counts["deleted"] == counts["clean_up"] > 0
    assert f"Cleaned up: {counts['deleted']} orders deleted, 0 left." in outcome.lines


def test_what_is_left_is_named(run_pytest, tmp_path):
    """Some in the terminal, all in the report."""
    outcome = swept(
        run_pytest, tmp_path, Undeletable, *cases(pack("sendcloud"), "SC-030", "SC-284", "SC-052", "SC-025")
    )
    left = outcome.report["run"]["left"]
    assert len(left) > 10
    assert outcome.report["counts"]["deleted"] == 0
    assert f"Cleaned up: 0 orders deleted, {len(left)} left." in outcome.lines
    assert f"Left: {', '.join(left[:10])} and {len(left) - 10} more, all in the report" in outcome.lines


def test_orders_that_no_call_deletes_are_counted_and_can_be_known(run_pytest, tmp_path):
    """AtLast documents no deletion: how many remain is told, and by what they can be found."""
    with Endpoint().serving() as endpoint:
        arguments = ("--provider=atlast", f"--endpoint={endpoint.url}", "--report=out", "-k", "AL-034")
        outcome = run_pytest(tmp_path, *arguments, env={"ATLAST_ACCESS_TOKEN": TOKEN})
    [line] = [line for line in outcome.lines if "remain there" in line]
    token = outcome.report["run"]["id"].partition("-")[0]
    number = outcome.report["counts"]["orders_created"]
    assert line == (
        f"{number} orders remain there, since the API documents no deletion;"
        f" -{token}- in their ids or numbers tells them from others."
    )
    for call in endpoint.posts:
        # One order has no id: with it was found out whether a bad order takes its batch with it.
        assert all(f"-{token}-" in order["id"] for order in call.orders if "id" in order)


def test_the_embedded_endpoint_keeps_nothing(run_pytest, tmp_path):
    """What is gone with the run is no news."""
    outcome = run_pytest(tmp_path, "--provider=atlast", "--case=AL-034/reference.too-short")
    assert not any("remain" in line or "Cleaned up" in line for line in outcome.lines)
