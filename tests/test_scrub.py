"""Secrets are put in on the wire and taken out of everything that comes back."""

import base64
import html
import json
from urllib.parse import parse_qs, quote, quote_plus, urlencode

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from conformance import credentials, providers, resources
from conformance.scrub import Vault

SECRET = 'pa/ss+w0rd "& <é>=%\\'
NAMES = st.sampled_from(["access_token", "client_secret", "api_key"])
SECRETS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=8, max_size=30)


def test_known_placeholders_are_filled_and_others_stay():
    vault = Vault({"access_token": "abcdef", "api_key": ""})
    assert vault.fill("Bearer {{access_token}}; {{api_key}} {{nobody}} {access_token}") == (
        "Bearer abcdef; {{api_key}} {{nobody}} {access_token}"
    )
    assert vault.names == ("access_token",)
    assert (vault.get("access_token"), vault.get("api_key"), vault.get("nobody")) == ("abcdef", "", "")


def test_a_secret_that_looks_like_a_placeholder_is_not_filled_again():
    vault = Vault({"client_id": "{{client_secret}}", "client_secret": "abcdef"})
    assert vault.fill("{{client_id}}") == "{{client_secret}}"


@given(SECRETS)
@example(SECRET)
def test_bodies_stay_well_formed_whatever_the_secret(secret):
    vault = Vault({"client_secret": secret})
    body = b'{"client_secret":"{{client_secret}}"}'
    assert json.loads(vault.fill_body(body, "application/json; charset=utf-8")) == {"client_secret": secret}
    form = urlencode({"grant": "x"}).encode() + b"&secret={{client_secret}}"
    assert parse_qs(vault.fill_body(form, "application/x-www-form-urlencoded").decode())["secret"] == [secret]


def test_a_body_without_placeholders_is_left_alone_byte_by_byte():
    body = b"\xff\xfe{ not text"
    assert Vault({"api_key": "abcdef"}).fill_body(body, "application/json") is body


ECHOES = {
    "plain": str,
    "json": json.dumps,
    "json-utf-8": lambda text: json.dumps(text, ensure_ascii=False),
    "json-all-escaped": lambda text: '"' + "".join(
        f"\\u{text.encode('utf-16-be').hex()[at : at + 4].upper()}" for at in range(0, len(text.encode("utf-16-be")) * 2, 4)
    ) + '"',
    "json-of-go": lambda text: json.dumps(text).replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003E"),
    "json-in-json": lambda text: json.dumps(json.dumps(text)[1:-1]),
    "json-of-php": lambda text: json.dumps(text).replace("/", "\\/"),
    "html": html.escape,
    "html-text": lambda text: html.escape(text, quote=False),
    "query": quote_plus,
    "query-small-hexadecimals": lambda text: "".join(
        each if each.isalnum() and each.isascii() else "".join(f"%{byte:02x}" for byte in each.encode()) for each in text
    ).replace("%2e", ".").replace("%2d", "-").replace("%5f", "_").replace("%7e", "~"),
    "path": lambda text: quote(text, safe=""),
    "url": quote,
}  # fmt: skip


@pytest.mark.parametrize("echo", ECHOES)
def test_a_secret_is_taken_out_however_it_is_echoed(echo):
    vault = Vault({"api_key": SECRET, "access_token": "0123456789abcdef"})
    text = f"you sent {ECHOES[echo](SECRET)}, and {ECHOES[echo]('0123456789abcdef')}."
    scrubbed = vault.scrub(text)
    assert "{{api_key}}" in scrubbed
    assert "{{access_token}}" in scrubbed
    assert "pa" not in scrubbed
    assert "w0rd" not in scrubbed
    assert "0123" not in scrubbed


@given(SECRETS, st.sampled_from(sorted(ECHOES)), st.text(max_size=20))
def test_no_secret_survives(secret, echo, around):
    echoed = ECHOES[echo](secret)
    assume(secret not in "{{api_key}}")
    scrubbed = Vault({"api_key": secret}).scrub(f"{around} {echoed} {around}")
    assert "{{api_key}}" in scrubbed
    if len(secret) > 10 and secret not in around * 2:
        assert secret not in scrubbed


@given(SECRETS)
def test_equal_secrets_leave_equal_texts(secret):
    """So that two runs with different credentials give equal reports."""
    assume("key" not in secret)
    assert Vault({"api_key": secret}).scrub(f"key: {secret}.") == "key: {{api_key}}."


def test_the_longer_of_two_secrets_goes_first():
    vault = Vault({"client_id": "shop-12345", "client_secret": "shop-12345-secret"})
    assert vault.scrub("shop-12345-secret of shop-12345") == "{{client_secret}} of {{client_id}}"


def test_texts_that_are_too_short_to_be_secrets_stay():
    assert Vault({"client_id": "abc"}).scrub("the abc") == "the abc"
    assert Vault({"client_id": "abcd"}).scrub("the abcd") == "the {{client_id}}"


def test_a_secret_that_was_replaced_is_still_one():
    vault = Vault({"client_id": "client-1"})
    vault.put("access_token", "token-one")
    vault.put("access_token", "token-two")
    assert vault.fill("{{access_token}}") == "token-two"
    assert vault.scrub("token-one token-two client-1") == "{{access_token}} {{access_token}} {{client_id}}"


@pytest.mark.parametrize("member", ["access_token", "refresh_token", "id_token"])
@pytest.mark.parametrize("value", ["eyJhbGciOi.J9.x", 'with \\" quote', "with \\\\"])
def test_tokens_in_an_answer_are_secrets_whoever_issued_them(member, value):
    text = f'{{"a":1,"{member}" : "{value}","expires_in":3600}}'
    scrubbed = Vault({}).scrub(text)
    assert json.loads(scrubbed) == {"a": 1, member: "{{access_token}}", "expires_in": 3600}


@pytest.mark.parametrize(
    "text", ['{"access_token":null}', '{"access_token":""}', '{"token_type":"Bearer"}', "access_token: x", ""]
)
def test_what_is_no_token_stays(text):
    assert Vault({}).scrub(text) == text


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_bytes_that_are_no_text_keep_their_other_bytes(before, after):
    vault = Vault({"api_key": "0123456789"})
    assert vault.scrub_bytes(before + b"\xff0123456789\xfe" + after) == (before + b"\xff{{api_key}}\xfe" + after)


# Pairs: base64 of user:password, as RFC 7617 has them in a header


def pair(user, password):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_pair_is_filled_in_the_form_of_rfc_7617():
    vault = Vault({"public_key": "Aladdin", "secret_key": "open sesame"})
    assert (
        vault.fill("Basic {{public_key:secret_key}}") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )  # the RFC's own example
    assert vault.fill("Basic {{secret_key:public_key}}") == f"Basic {pair('open sesame', 'Aladdin')}"


@given(SECRETS, SECRETS)
def test_a_pair_is_read_back_by_who_knows_the_form(user, password):
    filled = Vault({"public_key": user, "secret_key": password}).fill("Basic {{public_key:secret_key}}")
    assert base64.b64decode(filled.removeprefix("Basic "), validate=True).decode() == f"{user}:{password}"


@pytest.mark.parametrize(
    "text",
    ["{{public_key:nobody}}", "{{nobody:secret_key}}", "{{public_key:}}", "{{:secret_key}}", "{{public_key:a:b}}"],
)
def test_a_pair_that_is_not_known_whole_stays(text):
    vault = Vault({"public_key": "public-1234", "secret_key": "secret-1234"})
    assert vault.fill(text) == text


def test_a_wrong_password_is_anything_but_the_secret():
    vault = Vault({"public_key": "public-1234", "secret_key": "secret-1234"})
    wrong = vault.fill("{{public_key:wrong}}")
    user, _, password = base64.b64decode(wrong).decode().partition(":")
    assert user == "public-1234"
    assert password not in ("", "secret-1234", "wrong")
    assert vault.fill("{{wrong:secret_key}}") != vault.fill("{{public_key:secret_key}}") != wrong
    # Nothing but a pair has a wrong half, and a secret of this name is the vault's own.
    assert vault.fill("{{wrong}}") == "{{wrong}}"
    named = Vault({"public_key": "public-1234", "wrong": "of this name"})
    assert named.fill("{{public_key:wrong}}") == pair("public-1234", "of this name")


@pytest.mark.parametrize("echo", ECHOES)
@pytest.mark.parametrize("word", ["secret_key", "wrong"])
def test_a_pair_is_taken_out_of_answers_in_its_own_form(echo, word):
    """Base64 holds slashes, pluses and equals signs; nothing that can be decoded is left."""
    vault = Vault({"public_key": "??>>~~public", "secret_key": "~~?>?>"})
    filled = vault.fill(f"{{{{public_key:{word}}}}}")
    assert set(filled) & set("+/=")
    scrubbed = vault.scrub(f"you sent Basic {ECHOES[echo](filled)}, did you?")
    assert scrubbed.replace('"', "") == f"you sent Basic {{{{public_key:{word}}}}}, did you?"
    # And its halves are secrets still.
    assert vault.scrub("??>>~~public and ~~?>?>") == "{{public_key}} and {{secret_key}}"


def test_a_pair_follows_its_halves():
    """When a half is replaced, the pair that went out before is still scrubbed."""
    vault = Vault({"client_id": "client-1234", "client_secret": "secret-1234"})
    before = vault.fill("{{client_id:client_secret}}")
    vault.put("client_secret", "secret-5678")
    after = vault.fill("{{client_id:client_secret}}")
    assert (before, after) == (pair("client-1234", "secret-1234"), pair("client-1234", "secret-5678"))
    assert vault.scrub(f"{before} {after}") == "{{client_id:client_secret}} {{client_id:client_secret}}"


def test_pairs_are_filled_in_bodies_too():
    vault = Vault({"public_key": "?" * 8, "secret_key": "~" * 8})
    filled = pair("?" * 8, "~" * 8)
    assert json.loads(vault.fill_body(b'{"key":"{{public_key:secret_key}}"}', "application/json")) == {"key": filled}
    form = vault.fill_body(b"key={{public_key:secret_key}}", "application/x-www-form-urlencoded")
    assert parse_qs(form.decode()) == {"key": [filled]}


# Members of answers that are worth money


CODES = ("redeemCode", "pinCode")


@pytest.mark.parametrize(
    "value", ["ABCD-1234", "", 'with \\" quote', "with \\\\", "\\u00e4\\/", 'zweifach: \\"redeemCode\\"', "öß"]
)
@pytest.mark.parametrize("member", CODES)
def test_what_is_worth_money_is_hidden(member, value):
    """Whatever it is: nobody knows the codes beforehand. Members that only sound alike stay."""
    text = f'{{"a":1,"{member}" : "{value}","{member}s":"seen","my{member}":"seen"}}'
    scrubbed = Vault({}, CODES).scrub(text)
    assert json.loads(scrubbed) == {"a": 1, member: "{{hidden}}", f"{member}s": "seen", f"my{member}": "seen"}


@given(
    st.recursive(
        st.dictionaries(st.sampled_from([*CODES, "sku"]), st.text(max_size=8) | st.integers(0, 10**12), max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["codes", "data"]), inner, max_size=2)
        ),
        max_leaves=6,
    ),
    st.sampled_from([None, 1, 2]),
    st.booleans(),
)
def test_codes_are_hidden_wherever_they_stand(value, indent, ascii_only):
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    scrubbed = json.loads(Vault({}, CODES).scrub(text))

    def hidden(node):
        if isinstance(node, dict):
            return {key: "{{hidden}}" if key in CODES else hidden(each) for key, each in node.items()}
        return [hidden(each) for each in node] if isinstance(node, list) else node

    assert scrubbed == hidden(value)


@pytest.mark.parametrize("text", ['{"redeemCode":null}', '{"redeemCode":[]}', "redeemCode: x", '["redeemCode"]', ""])
def test_what_holds_no_code_stays(text):
    assert Vault({}, CODES).scrub(text) == text


def test_without_such_members_nothing_is_hidden():
    assert Vault({}).scrub('{"redeemCode":"ABCD"}') == '{"redeemCode":"ABCD"}'


@pytest.mark.parametrize("provider", list(resources.providers()))
def test_what_a_pack_calls_secret_is_hidden_in_its_runs(provider):
    pack = providers.load(provider)
    assert (pack.secret_members != ()) is (provider == "ezcards")
    vault, _ = credentials.vault(pack, {each: "0123456789" for known in pack.auth.variables.values() for each in known})
    for member in pack.secret_members:
        assert json.loads(vault.scrub(json.dumps({member: "ABCD"}))) == {member: "{{hidden}}"}


@pytest.mark.parametrize(
    ("secret", "tail", "case", "cut"),
    [
        ("Key-7f3Z", "Key-7f30", "kEY-7F3z", "Key-7f3"),
        ("tok.9", "tok.A", "TOK.9", "tok."),
        # Decoders of base64 may ignore the lower bits of the last character, and padding.
        ("eyJ0eXAiB", "eyJ0eXAi0", "EYj0ExaIb", "eyJ0eXAi"),
        ("c2VjcmV0eQ==", "c2VjcmV0e0==", "C2vJCMv0Eq==", "c2VjcmV0e"),
        # Hexadecimals and digits mean the same in either letter case.
        ("0f8fad5b-d9cb-469a", "0f8fad5b-d9cb-4690", "0f8fad5b-d9cb-4690", "0f8fad5b-d9cb-469"),
        ("12_345", "12_34A", "12_34A", "12_34"),
    ],
)
def test_secrets_that_are_not_quite_right_differ_and_are_scrubbed_too(secret, tail, case, cut):
    vault = Vault({"api_key": secret})
    for kind, wanted in (("tail", tail), ("case", case), ("cut", cut)):
        assert vault.fill(f"x {{{{api_key!{kind}}}}}") == f"x {wanted}"
        assert secret not in vault.scrub(f"no such key: {wanted}.")
        assert wanted not in vault.scrub(f"no such key: {wanted}.")
    assert vault.fill("{{api_key!other}} {{nobody!tail}}") == "{{api_key!other}} {{nobody!tail}}"
