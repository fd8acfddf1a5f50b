"""The catalogues: the same keys and the same places in each language, and a text for all that a page names."""

import re
import string

import pytest

from tools.emulator.cloud.console import page, templates, words

CATALOGUES = {language: words.catalogue(language) for language in words.LANGUAGES}
SOURCES = [
    *templates.FOLDER.rglob("*.html"),
    *templates.FOLDER.parent.rglob("*.py"),
]


def places(text):
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_catalogue_has_the_keys_of_the_other(language):
    assert CATALOGUES[language].keys() == CATALOGUES[words.DEFAULT].keys()
    for key, text in CATALOGUES[language].items():
        assert text.strip() == text and text, key
        assert places(text) == places(CATALOGUES[words.DEFAULT][key]), key


def test_what_a_page_names_is_in_the_catalogue():
    known = CATALOGUES[words.DEFAULT]
    for path in SOURCES:
        text = path.read_text()
        for key in re.findall(r'(?:\bt|visit\.text)\(\s*"([\w.]+)"\s*[,)]', text):
            assert key in known, f"{path.name}: {key}"
        for beginning in re.findall(r'\bt\("([\w.]+\.)" ~', text):
            assert any(key.startswith(beginning) for key in known), f"{path.name}: {beginning}"
        for key in re.findall(r'visit\.done\([^"]*(?:"[^"]*"[^"]*)??,\s*"(\w+\.\w+)"\s*[,)]', text):
            assert key in known, f"{path.name}: {key}"


def test_each_page_of_the_navigation_has_its_name():
    for one in page.found():
        assert not one.order or f"navigation.{one.name}" in CATALOGUES[words.DEFAULT]


@pytest.mark.parametrize(
    ("cookie", "accepted", "language"),
    [
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (None, "fr,zh;q=0.5", "en"),
        ("fr", "", "en"),
        ("../en", "", "en"),
    ],
)
def test_the_language_of_a_visitor(cookie, accepted, language):
    assert words.chosen(cookie, accepted) == language
