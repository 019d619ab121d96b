"""Page: whether more follows, of rows that a query for one more has found."""

from hypothesis import given
from hypothesis import strategies as st

from registry.services.pages import Page, limit


@given(st.lists(st.integers(), unique=True).map(sorted), st.integers(1, 5))
def test_any_list_is_its_pages_joined(items: list[int], n: int) -> None:
    found: list[int] = []
    more = True
    while more:
        rest = [item for item in items if not found or item > found[-1]]
        page = Page.of(rest[: limit(n)], n)
        found += page.items
        more = page.more

    assert found == items


def test_without_a_limit_all_is_one_page() -> None:
    assert (limit(None), Page.of([1, 2], None)) == (None, Page((1, 2), more=False))


def test_after_a_page_of_size_0_none_follows() -> None:
    assert (limit(0), Page.of([1], 0)) == (1, Page((), more=False))
