"""Writes to the shop by the models and by cursors: a program that reads seeds, one per line, and
answers each with the name of the write that it has made.

Rule: what a write takes away from somebody, it gives back when it is made again (``switch_…``).
"""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import Any

import django

django.setup()

from django.contrib.auth.models import Permission, User  # noqa: E402
from django.contrib.flatpages.models import FlatPage  # noqa: E402
from django.contrib.sessions.models import Session  # noqa: E402
from django.core.cache import cache  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.db.models import F, Value  # noqa: E402
from django.db.models.functions import Concat  # noqa: E402
from django.utils import timezone  # noqa: E402
from oscar.apps.basket.models import Basket, Line  # noqa: E402
from oscar.apps.catalogue.models import (  # noqa: E402
    Category,
    Option,
    Product,
    ProductCategory,
    ProductImage,
    ProductRecommendation,
)
from oscar.apps.catalogue.reviews.models import ProductReview, Vote  # noqa: E402
from oscar.apps.communication.models import Notification  # noqa: E402
from oscar.apps.customer.models import ProductAlert  # noqa: E402
from oscar.apps.offer.models import ConditionalOffer, Range  # noqa: E402
from oscar.apps.order.models import Order  # noqa: E402
from oscar.apps.partner.models import Partner, StockRecord  # noqa: E402
from oscar.apps.partner.strategy import Default  # noqa: E402
from oscar.apps.voucher.models import Voucher  # noqa: E402
from oscar.apps.wishlists.models import WishList  # noqa: E402

from tests.integration.seeds import Write, answer_seeds  # noqa: E402
from tests.sites.shop import seed  # noqa: E402

Chance = random.Random


def _any(chance: Chance, rows: Any) -> Any:
    return chance.choice(list(rows.order_by("pk")))


def _book(chance: Chance) -> Product:
    found: Product = _any(chance, Product.objects.filter(upc__startswith="upc-"))
    return found


def _word(chance: Chance) -> str:
    return "".join(chance.choices("abcdefgh", k=6))


def _customer(chance: Chance) -> User:
    found: User = _any(chance, User.objects.filter(username__in=["ada", "bob"]))
    return found


def rename_a_product(chance: Chance) -> None:
    book = _book(chance)
    book.title = f"Book {_word(chance)}"
    book.save()


def describe_products_at_once(chance: Chance) -> None:
    Product.objects.filter(pk__lt=4).update(description=Concat("description", Value("!")))


def change_an_attribute(chance: Chance) -> None:
    book = _book(chance)
    book.attr.pages = chance.randrange(900)
    book.save()


def switch_a_product_off_or_on(chance: Chance) -> None:
    book = Product.objects.get(upc="upc-1")
    book.is_public = not book.is_public
    book.save()


def switch_a_product_there_or_away(chance: Chance) -> None:
    if not Product.objects.filter(upc="passing").delete()[0]:
        first = Product.objects.get(upc="upc-1")
        kind = first.product_class
        book = Product.objects.create(title="Passing", upc="passing", product_class=kind)
        book.categories.set(first.categories.all())
        seed.sold(book, Partner.objects.get(), 7)


def change_a_price(chance: Chance) -> None:
    stock = _any(chance, StockRecord.objects.all())
    stock.price = Decimal(chance.randrange(1, 99))
    stock.save()


def raise_prices_at_once(chance: Chance) -> None:
    StockRecord.objects.update(price=F("price") + 1)


def sell_out(chance: Chance) -> None:
    StockRecord.objects.filter(pk=_any(chance, StockRecord.objects.all()).pk).update(num_in_stock=0)


def fill_the_shelves(chance: Chance) -> None:
    rows = list(StockRecord.objects.all())
    for row in rows:
        row.num_in_stock = chance.randrange(5, 50)
    StockRecord.objects.bulk_update(rows, ["num_in_stock"])


def put_into_categories(chance: Chance) -> None:
    kinds = list(Category.objects.filter(depth=2))
    _book(chance).categories.set(chance.sample(kinds, k=2))


def take_from_a_category(chance: Chance) -> None:
    _any(chance, ProductCategory.objects.filter(product__pk__gt=2)).delete()


def rename_a_category(chance: Chance) -> None:
    """Not its address."""
    kind = _any(chance, Category.objects.all())
    kind.name = f"{kind.slug} {_word(chance)}"
    kind.save()


def switch_a_category_to_another_place(chance: Chance) -> None:
    """And with that, give it another address."""
    poems = Category.objects.get(slug="poems")
    books, clothes = (Category.objects.get(slug=slug) for slug in ("books", "clothes"))
    poems.move(clothes if poems.is_child_of(books) else books, pos="last-child")


def switch_a_category_off_or_on(chance: Chance) -> None:
    kind = Category.objects.get(slug="atlases")
    kind.is_public = not kind.is_public
    kind.save()


def add_a_category(chance: Chance) -> None:
    Category.objects.get(slug="clothes").add_child(name=_word(chance))


def give_an_image(chance: Chance) -> None:
    colour = chance.choice(["green", "white", "black"])
    ProductImage.objects.create(
        product=_book(chance), original=seed.picture(colour), display_order=chance.randrange(9, 999)
    )


def take_an_image(chance: Chance) -> None:
    ProductImage.objects.filter(display_order__gt=8).delete()


def recommend(chance: Chance) -> None:
    one, other = chance.sample(list(Product.objects.filter(upc__startswith="upc-")), k=2)
    ProductRecommendation.objects.get_or_create(primary=one, recommendation=other)


def offer_an_option(chance: Chance) -> None:
    option = Option.objects.create(name=_word(chance), code=_word(chance))
    _book(chance).product_options.add(option)


def switch_an_offer_off_or_on(chance: Chance) -> None:
    offer = ConditionalOffer.objects.get(slug="two-poems")
    if offer.status == ConditionalOffer.OPEN:
        offer.suspend()
    else:
        offer.unsuspend()


def change_an_offer(chance: Chance) -> None:
    offer = ConditionalOffer.objects.get(slug="two-poems")
    offer.benefit.value = chance.randrange(5, 50)
    offer.benefit.save()


def end_an_offer_soon(chance: Chance) -> None:
    soon = timezone.now() + timedelta(seconds=1.5)
    ConditionalOffer.objects.filter(slug="two-poems").update(end_datetime=soon)


def widen_a_range(chance: Chance) -> None:
    Range.objects.get(slug="poems").add_product(_book(chance))


def end_a_voucher(chance: Chance) -> None:
    Voucher.objects.update(end_datetime=timezone.now() + timedelta(seconds=1.5))


def prolong_a_voucher(chance: Chance) -> None:
    Voucher.objects.update(end_datetime=timezone.now() + timedelta(days=9))


def put_into_a_basket(chance: Chance) -> None:
    for basket in Basket.open.filter(owner=_customer(chance)):
        basket.strategy = Default()
        basket.add_product(Product.objects.get(upc=f"upc-{chance.choice([4, 7, 10])}"))


def change_baskets_at_once(chance: Chance) -> None:
    Line.objects.filter(basket__status=Basket.OPEN).update(quantity=chance.randrange(1, 5))


def empty_a_basket(chance: Chance) -> None:
    Line.objects.filter(basket__owner=_customer(chance), basket__status=Basket.OPEN).delete()


def apply_a_voucher(chance: Chance) -> None:
    for basket in Basket.open.filter(owner=_customer(chance)):
        basket.vouchers.set(Voucher.objects.all())


def place_an_order(chance: Chance) -> None:
    seed.order(_customer(chance), seed.Country.objects.get(), _book(chance).title)


def send_an_order(chance: Chance) -> None:
    for order in Order.objects.filter(status="Pending")[:1]:
        order.set_status("Sent")


def write_reviews(chance: Chance) -> None:
    ProductReview.objects.bulk_create(
        ProductReview(
            product_id=product, score=chance.randrange(1, 6), title=_word(chance), body="So.",
            name="A guest", email="guest@example.org", status=ProductReview.APPROVED,
        )
        for product in (1, 2)
    )  # fmt: skip


def reject_a_review(chance: Chance) -> None:
    review = _any(chance, ProductReview.objects.filter(pk__gt=2))
    review.status = ProductReview.REJECTED
    review.save()


def vote_on_a_review(chance: Chance) -> None:
    carol = User.objects.get(username="carol")
    Vote.objects.update_or_create(
        review_id=1, user=carol, defaults={"delta": chance.choice([1, -1])}
    )


def notify(chance: Chance) -> None:
    Notification.objects.create(recipient=_customer(chance), subject=_word(chance))


def alert(chance: Chance) -> None:
    ProductAlert.objects.create(product=_book(chance), user=_customer(chance), status="Active")


def wish(chance: Chance) -> None:
    _any(chance, WishList.objects.all()).add(_book(chance))


def rename_a_user(chance: Chance) -> None:
    User.objects.filter(pk=_customer(chance).pk).update(first_name=_word(chance))


def change_a_page(chance: Chance) -> None:
    FlatPage.objects.update(content=f"<p>{_word(chance)}</p>")


def write_by_a_cursor(chance: Chance) -> None:
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalogue_product SET title = title || '.' WHERE parent_id IS NULL")


def write_many_by_a_cursor(chance: Chance) -> None:
    rows = [(chance.randrange(9, 99), stock.pk) for stock in StockRecord.objects.all()[:4]]
    with connection.cursor() as cursor:
        cursor.executemany("UPDATE partner_stockrecord SET price = %s WHERE id = %s", rows)


def switch_a_permission(chance: Chance) -> None:
    carol = User.objects.get(username="carol")
    permission = Permission.objects.get(codename="view_product")
    if carol.user_permissions.filter(pk=permission.pk).exists():
        carol.user_permissions.remove(permission)
    else:
        carol.user_permissions.add(permission)


def switch_the_staff_flag(chance: Chance) -> None:
    user = User.objects.get(username="carol")
    user.is_staff = not user.is_staff
    user.save(update_fields=["is_staff"])


def switch_a_user_off_or_on(chance: Chance) -> None:
    user = User.objects.get(username="bob")
    user.is_active = not user.is_active
    user.save()


def change_a_password(chance: Chance) -> None:
    """Another hash of the same: who was logged in, is no more."""
    bob = User.objects.get(username="bob")
    bob.set_password(seed.PASSWORD)
    bob.save()


def switch_the_end_of_sessions(chance: Chance) -> None:
    """To soon, or to a day that is far away."""
    far = timezone.now() + timedelta(days=9)
    if not Session.objects.filter(expire_date__lt=timezone.now() + timedelta(days=1)).update(
        expire_date=far
    ):
        Session.objects.update(expire_date=timezone.now() + timedelta(seconds=0.5))


def clear_the_cache(chance: Chance) -> None:
    cache.clear()


def roll_back(chance: Chance) -> None:
    with transaction.atomic():
        rename_a_product(chance)
        raise_prices_at_once(chance)
        transaction.set_rollback(True)


def roll_back_in_part(chance: Chance) -> None:
    with transaction.atomic():
        rename_a_category(chance)
        with transaction.atomic():
            place_an_order(chance)
            transaction.set_rollback(True)


WRITES: list[Write] = [
    *(rename_a_product, describe_products_at_once, change_an_attribute),
    *(switch_a_product_off_or_on, switch_a_product_there_or_away, change_a_price),
    *(raise_prices_at_once, sell_out, fill_the_shelves, put_into_categories),
    *(take_from_a_category, rename_a_category, switch_a_category_to_another_place),
    *(switch_a_category_off_or_on, add_a_category, give_an_image, take_an_image, recommend),
    *(offer_an_option, switch_an_offer_off_or_on, change_an_offer, end_an_offer_soon),
    *(widen_a_range, end_a_voucher, prolong_a_voucher, put_into_a_basket, change_baskets_at_once),
    *(empty_a_basket, apply_a_voucher, place_an_order, send_an_order, write_reviews),
    *(reject_a_review, vote_on_a_review, notify, alert, wish, rename_a_user, change_a_page),
    *(write_by_a_cursor, write_many_by_a_cursor, switch_a_permission, switch_the_staff_flag),
    *(switch_a_user_off_or_on, change_a_password, switch_the_end_of_sessions, clear_the_cache),
    *(roll_back, roll_back_in_part),
]

if __name__ == "__main__":
    answer_seeds(WRITES)
