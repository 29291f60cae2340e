"""The rows that the shop begins with: a program."""

from __future__ import annotations

import shutil
from datetime import timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import django

django.setup()

import oscar  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth.models import Permission, User  # noqa: E402
from django.contrib.flatpages.models import FlatPage  # noqa: E402
from django.contrib.sites.models import Site  # noqa: E402
from django.core.files.images import ImageFile  # noqa: E402
from django.utils import timezone  # noqa: E402
from oscar.apps.address.models import Country, UserAddress  # noqa: E402
from oscar.apps.basket.models import Basket  # noqa: E402
from oscar.apps.catalogue.categories import create_from_breadcrumbs  # noqa: E402
from oscar.apps.catalogue.models import (  # noqa: E402
    Option,
    Product,
    ProductClass,
    ProductImage,
    ProductRecommendation,
)
from oscar.apps.catalogue.reviews.models import ProductReview  # noqa: E402
from oscar.apps.checkout.calculators import OrderTotalCalculator  # noqa: E402
from oscar.apps.communication.models import Notification  # noqa: E402
from oscar.apps.offer.models import Benefit, Condition, ConditionalOffer, Range  # noqa: E402
from oscar.apps.order.models import ShippingAddress  # noqa: E402
from oscar.apps.order.utils import OrderCreator  # noqa: E402
from oscar.apps.partner.models import Partner, StockRecord  # noqa: E402
from oscar.apps.partner.strategy import Default  # noqa: E402
from oscar.apps.shipping.methods import Free  # noqa: E402
from oscar.apps.voucher.models import Voucher  # noqa: E402
from oscar.apps.wishlists.models import WishList  # noqa: E402
from PIL import Image as Picture  # noqa: E402

PASSWORD = "colours"
KINDS = ["Novels", "Atlases", "Poems"]
PRODUCTS = 12
ADDRESS = {"first_name": "A", "last_name": "B", "line1": "1 Lane", "line4": "Town"}


def users() -> None:
    """Two customers; and one of the staff, who may do everything, but by permissions alone."""
    for name in ("ada", "bob"):
        User.objects.create_user(name, f"{name}@example.org", PASSWORD, first_name=name.title())
    carol = User.objects.create_user("carol", "carol@example.org", PASSWORD, is_staff=True)
    carol.user_permissions.set(Permission.objects.all())


def picture(colour: str) -> ImageFile:
    content = BytesIO()
    Picture.new("RGB", (300, 200), colour).save(content, "PNG")
    content.seek(0)
    return ImageFile(content, name=f"{colour}.png")


def sold(product: Product, partner: Partner, price: int, number: int = 20) -> None:
    StockRecord.objects.create(
        product=product,
        partner=partner,
        partner_sku=f"sku-{product.pk}",
        price=Decimal(price),
        num_in_stock=number,
        low_stock_threshold=2,
    )


def products() -> None:
    """In categories below one another; some with images, one with variants, one sold out."""
    own = Path(oscar.__file__).parent / "static" / "oscar" / "img" / "image_not_found.jpg"
    settings.MEDIA_ROOT.mkdir(exist_ok=True)
    shutil.copy(own, settings.MEDIA_ROOT)
    books = ProductClass.objects.create(name="Book", slug="book")
    books.attributes.create(name="Pages", code="pages", type="integer")
    books.options.add(Option.objects.create(name="A dedication", code="dedication"))
    shirts = ProductClass.objects.create(name="Shirt", slug="shirt")
    shirts.attributes.create(name="Size", code="size", type="text")
    partner = Partner.objects.create(name="The warehouse", code="warehouse")
    kinds = [create_from_breadcrumbs(f"Books > {name}") for name in KINDS]
    for number in range(1, PRODUCTS + 1):
        book = Product(
            title=f"Book {number}",
            upc=f"upc-{number}",
            product_class=books,
            description=f"<p>Of engines, <b>part {number}</b>.</p>",
        )
        book.attr.pages = 100 + number
        book.save()
        book.categories.add(kinds[number % 3])
        sold(book, partner, 10 + number, 0 if number == 5 else 20)
    first = Product.objects.get(title="Book 1")
    for order, colour in enumerate(["red", "blue"]):
        ProductImage.objects.create(product=first, original=picture(colour), display_order=order)
    ProductRecommendation.objects.create(
        primary=first, recommendation=Product.objects.get(title="Book 2")
    )
    parent = Product(
        title="A shirt", product_class=shirts, structure=Product.PARENT, description="Of linen."
    )
    parent.save()
    parent.categories.add(create_from_breadcrumbs("Clothes"))
    for size in ("S", "L"):
        child = Product(title=f"A shirt, {size}", structure=Product.CHILD, parent=parent)
        child.attr.size = size
        child.save()
        sold(child, partner, 30)


def offers() -> None:
    """A fifth off the poems for all who buy two, and a voucher for five off anything."""
    poems = Range.objects.create(name="Poems", slug="poems", is_public=True)
    for book in Product.objects.filter(categories__name="Poems"):
        poems.add_product(book)
    everything = Range.objects.create(name="All", slug="all", includes_all_products=True)
    ConditionalOffer.objects.create(
        name="Two poems",
        description="A fifth off",
        condition=Condition.objects.create(range=poems, type="Count", value=2),
        benefit=Benefit.objects.create(range=poems, type="Percentage", value=20),
    )
    voucher = Voucher.objects.create(
        name="Five off",
        code="FIVE",
        usage=Voucher.MULTI_USE,
        start_datetime=timezone.now() - timedelta(days=1),
        end_datetime=timezone.now() + timedelta(days=30),
    )
    offer = ConditionalOffer.objects.create(
        name="Five off by voucher",
        offer_type=ConditionalOffer.VOUCHER,
        condition=Condition.objects.create(range=everything, type="Count", value=1),
        benefit=Benefit.objects.create(range=everything, type="Absolute", value=5),
    )
    voucher.offers.add(offer)


def basket_of(user: User, *titles: str) -> Basket:
    basket = Basket.objects.create(owner=user)
    basket.strategy = Default()
    for title in titles:
        basket.add_product(Product.objects.get(title=title))
    return basket


def order(user: User, country: Country, *titles: str) -> None:
    basket = basket_of(user, *titles)
    charge = Free().calculate(basket)
    total = OrderTotalCalculator().calculate(basket, charge)
    address = ShippingAddress.objects.create(**ADDRESS, postcode="N1 9RT", country=country)
    OrderCreator().place_order(basket, total, Free(), charge, user=user, shipping_address=address)
    basket.submit()


def customers() -> None:
    """What the two have bought, said, been told and put into their baskets."""
    country = Country.objects.create(
        iso_3166_1_a2="GB", printable_name="Britain", name="BRITAIN", is_shipping_country=True
    )
    given: dict[str, list[str]] = {"ada": ["Book 1", "Book 3"], "bob": ["Book 2"]}
    for name, titles in given.items():
        user: Any = User.objects.get(username=name)
        UserAddress.objects.create(user=user, **ADDRESS, postcode="N1 9RT", country=country)
        order(user, country, *titles)
        basket_of(user, "Book 8", *titles)
        WishList.objects.create(owner=user, name=f"{name}'s wishes").add(
            Product.objects.get(title="Book 4")
        )
        Notification.objects.create(recipient=user, subject=f"For {name}", body="Hello")
        for title in ("Book 1", "Book 3"):
            ProductReview.objects.create(
                product=Product.objects.get(title=title),
                user=user,
                score=4,
                title=f"{name} on {title}",
                body="Good.",
                status=ProductReview.APPROVED,
            )


def others() -> None:
    page = FlatPage.objects.create(url="/about/", title="About", content="<p>A shop.</p>")
    page.sites.add(Site.objects.get())


if __name__ == "__main__":
    users()
    products()
    offers()
    customers()
    others()
