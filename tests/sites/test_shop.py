"""A shop on Oscar with its dashboard and Django's admin, twice on one database, with and without
the package, between random writes: what a visitor holds after an answer of the first is what the
second shows at that moment. And how many pages that have not changed are answered without their
view.

Rules of this module:

- What the same page is, and who visits, is said in ``tests.integration.twice``; how it is gone
  about, in ``tests.sites.world``.
- Each page of Oscar's says in which minute it was made, so that it changes with the minute.
- Which products a visitor has looked at last is kept in a cookie, and shown: a browser here keeps
  it when it looks at a product on purpose, and not in a visit to everything.
- Pages that write whenever somebody looks at them are compared as all are, and left out of the
  shares: that their view runs each time is what the shop wants.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.twice import Different
from tests.sites.world import (
    Project,
    Reader,
    World,
    by_sqlite,
    change_places,
    check_a_right_is_gone_at_once,
    check_nobody_gets_another_s_page,
    check_nothing_is_confirmed_after,
    check_unchanged,
    lose_the_session,
    rounds,
    tour,
)

pytest.importorskip("oscar")

SHARE = 0.06
"""So many of the pages are looked at after each few writes, any of them; all of them at the end."""
BY_THE_MODELS = 49
"""As many kinds of them as there are."""

HOME, ABOUT, LOGIN, BASKET = "/catalogue/", "/about/", "/accounts/login/", "/basket/"
BOOK, SHIRT, SEARCH = "/catalogue/book-1_1/", "/catalogue/a-shirt_13/", "/search/?q=Book"
PRODUCTS, REVIEWS = [BOOK, SHIRT], f"{BOOK}reviews/"
PUBLIC = [
    *(HOME, "/catalogue/category/books_1/", "/catalogue/category/books/poems_4/"),
    *("/offers/", "/offers/two-poems/", "/catalogue/ranges/poems/", BASKET, REVIEWS),
    *(f"{REVIEWS}1/", *(f"/look/{number}/" for number in (1, 5, 9, 13)), SEARCH, *PRODUCTS, ABOUT),
]
NOT_LOGGED_IN = [
    *("/catalogue/?page=2", "/catalogue/category/clothes_5/", LOGIN, "/password-reset/"),
    *("/catalogue/book-2_2/reviews/add/", *(f"/look/{number}/" for number in (2, 3))),
]
PROFILE, ADDRESSES = "/accounts/profile/edit/", "/accounts/addresses/"
CHECKOUT = "/checkout/shipping-address/"
ACCOUNT = [
    *("/accounts/profile/", PROFILE, "/accounts/orders/", ADDRESSES, "/accounts/alerts/"),
    *("/accounts/notifications/inbox/", "/accounts/wishlists/", CHECKOUT),
]
OWN = {
    "ada": ["/accounts/orders/100001/", "/accounts/notifications/1/", f"{ADDRESSES}1/"],
    "bob": ["/accounts/orders/100003/", "/accounts/notifications/2/", f"{ADDRESSES}2/"],
}
"""What is another's is not found."""
INDEX, PEOPLE = "/dashboard/", "/dashboard/users/"
EDIT, KIND = "/dashboard/catalogue/products/2/", "/dashboard/catalogue/categories/2/update/"
ORDER, REVIEW, OFFER = "/dashboard/orders/100001/", "/dashboard/reviews/2/", "/dashboard/offers/1/"
DASHBOARD = [
    *(INDEX, PEOPLE, "/dashboard/users/1/", "/dashboard/catalogue/", EDIT, KIND, ORDER, REVIEW),
    *("/dashboard/catalogue/categories/", "/dashboard/catalogue/stock-alerts/", OFFER),
    *("/dashboard/orders/", "/dashboard/partners/1/", "/dashboard/offers/", "/dashboard/ranges/"),
    *("/dashboard/reviews/", "/dashboard/vouchers/", "/dashboard/reports/"),
]
STOCK = "/admin/partner/stockrecord/"
ADMIN = [
    *("/admin/", "/admin/catalogue/category/", STOCK, f"{STOCK}1/change/", "/admin/order/order/"),
]
PAGES = {
    "a visitor": [*PUBLIC, *NOT_LOGGED_IN],
    "a German visitor": [*PUBLIC, LOGIN],
    "ada": [*PUBLIC, *ACCOUNT, *OWN["ada"]],
    "bob": [HOME, *PUBLIC[4:], *ACCOUNT, *OWN["bob"], OWN["ada"][0]],
    "carol": [HOME, BOOK, *DASHBOARD, *ADMIN],
}
USERS = ["ada", "bob", "carol"]

WRITING = {
    *((name, path) for name in PAGES for path in PRODUCTS),
    *((name, SEARCH) for name in USERS),
}
"""Pages that write when they are looked at, for whom."""
ENOUGH = {"a visitor": 0.95, "a German visitor": 0.95, "ada": 0.8, "bob": 0.8, "carol": 0.8}
"""The share of the pages that have not changed which is answered without the view."""
KNOWN = {
    "/catalogue/": (
        "analytics_productrecord",
        "Oscar counts each look at a product, and keeps in a cookie which were looked at last",
    ),
    "/search/": (
        "analytics_usersearch",
        "Oscar writes down what those who are logged in search for",
    ),
    PEOPLE: (
        "unchanged; found after the view had run",
        "the list reads a row for each user, in which Oscar counts their looks at products too",
    ),
    INDEX: (
        "the time, in oscar/apps/dashboard/views.py",
        "it asks for the orders of hours that begin at microseconds of now",
    ),
}
"""Pages that have not changed and need their view: what is in their addresses, what their reason
says, and why it is true."""


class Customer(Reader):
    login = LOGIN
    any_page = ABOUT
    each_time = re.compile(rb"(?!)")  # nothing

    def __init__(self, site: str, plain: str, name: str) -> None:
        super().__init__(site, plain, name)
        self.ears.names = {"messages", "oscar_history"}

    def log_in(self, username: str) -> None:
        fields = {"login-username": f"{username}@example.org", "login-password": self.password}
        self.post(LOGIN, LOGIN, **fields, login_submit="Log In", **{"login-redirect_url": ABOUT})
        self.client.get(self.site + CHECKOUT)  # which brings what is in the basket along, and
        # leaves a place in the session for what is to be said there

    def log_out(self) -> None:
        self.client.get(f"{self.site}/accounts/logout/")

    def look_at(self, path: str) -> None:
        """And remember it."""
        self.ears.open = True
        self.client.get(self.site + path)
        self.ears.open = False


SHOP = Project("shop", PAGES, USERS, Customer, migrate=["migrate", "--run-syncdb", "--verbosity=0"])
FULL = "UPDATE partner_stockrecord SET num_in_stock = 90, num_allocated = 0"
"""There is enough of everything."""


def _buy(world: World, name: str) -> None:
    world.by_sqlite(FULL)
    world.visitors[name].submit("/look/9/", to="/basket/add/9/", quantity="2")


def _put_into_the_basket(world: World, chance: random.Random) -> None:
    _buy(world, "a visitor")


def _change_a_quantity(world: World, chance: random.Random) -> None:
    _buy(world, "ada")
    world.visitors["ada"].submit(BASKET, **{"form-0-quantity": str(chance.randrange(3, 9))})


def _take_from_the_basket(world: World, chance: random.Random) -> None:
    _buy(world, "bob")
    world.visitors["bob"].submit(BASKET, **{"form-0-quantity": "0"})


def _name_a_voucher(world: World, chance: random.Random) -> None:
    _buy(world, "ada")
    world.visitors["ada"].submit(BASKET, code="FIVE")


def _log_out_and_buy(world: World, chance: random.Random) -> None:
    """What is in the basket comes along when she logs in again."""
    _visitor(world, "ada").log_out()
    _buy(world, "ada")


def _look_at_a_product(world: World, chance: random.Random) -> None:
    _visitor(world, chance.choice(["a visitor", "ada"])).look_at(chance.choice(PRODUCTS))


def _write_a_review(world: World, chance: random.Random) -> None:
    review = {"title": f"{chance.random()}", "score": "3", "body": "Long."}
    world.visitors["ada"].submit("/catalogue/book-2_2/reviews/add/", **review)


def _vote_on_a_review(world: World, chance: random.Random) -> None:
    world.visitors["bob"].submit(REVIEWS, to=f"{REVIEWS}1/vote/", delta="1")


def _ask_to_be_told(world: World, chance: random.Random) -> None:
    """When there is more of what is sold out."""
    world.by_sqlite("UPDATE partner_stockrecord SET num_in_stock = 0 WHERE product_id = 5")
    world.by_sqlite("DELETE FROM customer_productalert")
    world.visitors["a visitor"].submit("/look/5/", email=f"{chance.random()}@example.org")


def _change_a_name(world: World, chance: random.Random) -> None:
    world.visitors["ada"].submit(PROFILE, first_name=f"Ada {chance.random()}")


def _add_an_address(world: World, chance: random.Random) -> None:
    own = {"first_name": "B", "last_name": f"{chance.random()}", "line1": "2 Lane"}
    own |= {"line4": "Town", "postcode": "N1 9RT", "country": "GB"}
    world.visitors["bob"].submit(f"{ADDRESSES}add/", **own)


def _wish_for_a_product(world: World, chance: random.Random) -> None:
    world.visitors["bob"].post(PROFILE, "/accounts/wishlists/add/4/")


def _speak_german(world: World, chance: random.Random) -> Callable[[], object]:
    visitor = world.visitors["a visitor"]
    visitor.submit(ABOUT, to="/i18n/setlang/", language="de")
    return lambda: visitor.client.cookies.delete("django_language")


def _edit_a_product(world: World, chance: random.Random) -> None:
    title, price = f"Book {chance.random()}", str(chance.randrange(1, 99))
    world.visitors["carol"].submit(EDIT, title=title, **{"stockrecords-0-price": price})


def _rename_a_category(world: World, chance: random.Random) -> None:
    world.visitors["carol"].submit(KIND, name=f"Novels {chance.random()}")


def _send_an_order(world: World, chance: random.Random) -> None:
    world.visitors["carol"].submit(ORDER, order_action="change_order_status")


def _edit_a_review(world: World, chance: random.Random) -> None:
    world.visitors["carol"].submit(REVIEW, title=f"{chance.random()}")


def _change_a_price_in_the_admin(world: World, chance: random.Random) -> None:
    world.visitors["carol"].submit(f"{STOCK}1/change/", price=str(chance.randrange(1, 99)))


def _visitor(world: World, name: str) -> Customer:
    found = world.visitors[name]
    assert isinstance(found, Customer)
    return found


FORMS = [
    *(_put_into_the_basket, _change_a_quantity, _take_from_the_basket, _name_a_voucher),
    *(_log_out_and_buy, _look_at_a_product, _write_a_review, _vote_on_a_review, _ask_to_be_told),
    *(_change_a_name, _add_an_address, _wish_for_a_product, _speak_german, _edit_a_product),
    *(_rename_a_category, _send_an_order, _edit_a_review, _change_a_price_in_the_admin),
    *(lose_the_session, change_places),
]
DISMISSED = "UPDATE auth_user SET is_staff = 0 WHERE username = 'carol'"
BACK_AGAIN = "UPDATE auth_user SET is_staff = 1 WHERE username = 'carol'"
SCRIPTS = """
UPDATE partner_stockrecord SET price = price + 1

UPDATE catalogue_product SET title = title || '-' WHERE id = 1

UPDATE catalogue_product SET is_public = 0 WHERE id = 9 --
UPDATE catalogue_product SET is_public = 1 WHERE id = 9

DELETE FROM catalogue_productcategory WHERE id = (SELECT max(id) FROM catalogue_productcategory)

UPDATE basket_line SET quantity = quantity + 1

DELETE FROM basket_line WHERE id = (SELECT max(id) FROM basket_line)

REPLACE INTO django_flatpage (id, url, title, content, enable_comments, template_name,
registration_required) VALUES (1, '/about/', 'Replaced', 'By another', 0, '', 0)

INSERT INTO communication_notification (recipient_id, subject, body, location, date_sent)
SELECT id, 'By sqlite', '', 'Inbox', datetime('now') FROM auth_user

DELETE FROM django_session

UPDATE basket_basket SET owner_id = 5 - owner_id WHERE owner_id IN (2, 3)

BEGIN; UPDATE catalogue_product SET title = 'nothing'; ROLLBACK;
BEGIN; UPDATE offer_conditionaloffer SET end_datetime = datetime('now', '+2 seconds'); COMMIT

UPDATE offer_conditionaloffer SET end_datetime = NULL

DELETE FROM thumbnail_kvstore
""".strip().split("\n\n")
SCRIPTS.append(f"{DISMISSED} --\n{BACK_AGAIN}")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SHOP.prepare(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def world(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with SHOP.world(tmp_path_factory.mktemp("world") / "state", prepared) as found:
        yield found


def test_no_page_differs_and_most_are_answered_without_their_view(world: World) -> None:
    chance = random.Random(1)
    tour(world, chance, rounds(chance, FORMS, SCRIPTS, BY_THE_MODELS, together=4), SHARE)
    world.visit_everything(chance)
    check_unchanged(world, chance, ENOUGH, KNOWN, WRITING)


def test_each_look_at_a_product_is_counted(world: World) -> None:
    """For the view runs, though the page has not changed and 304 says so."""
    visitor, seen = world.visitors["a visitor"], "SELECT num_views FROM analytics_productrecord"
    visitor.visit("GET", BOOK, visitor.now(BOOK), random.Random(2))
    [(before,)] = world.read(f"{seen} WHERE product_id = 1")
    for _ in range(3):
        fields = {"If-None-Match": str(visitor.copies[BOOK].etag)}
        visitor.client.get(visitor.site + BOOK, headers=fields)
    assert world.read(f"{seen} WHERE product_id = 1") == [(before + 3,)]


def test_nobody_gets_another_s_page(world: World) -> None:
    check_nobody_gets_another_s_page(world)


def test_a_right_that_is_taken_away_is_gone_at_once(world: World) -> None:
    for path, model in {STOCK: "stockrecord", KIND: "category"}.items():
        check_a_right_is_gone_at_once(world, "carol", path, TAKEN.format(model), GIVEN_BACK)
    for path in (ORDER, STOCK):
        check_a_right_is_gone_at_once(world, "carol", path, DISMISSED, BACK_AGAIN)


TAKEN = """
CREATE TABLE taken AS SELECT * FROM auth_user_user_permissions;
DELETE FROM auth_user_user_permissions WHERE permission_id IN
(SELECT id FROM auth_permission WHERE codename LIKE '%_{0}');
"""
GIVEN_BACK = """
INSERT OR IGNORE INTO auth_user_user_permissions SELECT * FROM taken;
DROP TABLE taken;
"""


def test_after_logging_out_no_page_of_the_user_s_is_confirmed(world: World) -> None:
    check_nothing_is_confirmed_after(world, "ada", _visitor(world, "ada").log_out, PUBLIC)


def test_a_defect_would_be_found(prepared: Path, tmp_path: Path) -> None:
    few = replace(SHOP, pages={"a visitor": PUBLIC[:4]}, users=[])
    with (
        few.world(tmp_path / "state", prepared, "records") as world,
        pytest.raises(Different, match="304, but"),
    ):
        tour(world, random.Random(1), [[by_sqlite(SCRIPTS[0])]] * 4)
