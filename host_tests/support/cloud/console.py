"""A visitor of the console without a screen: plain HTTP with cookies, and what a person would read in a page."""

import http.client
import re
from html.parser import HTMLParser
from urllib.parse import urlencode, urlsplit

BOUNDARY = "=-aliot-boundary-="


class Text(HTMLParser):
    """Text and forms of a page."""

    def __init__(self, html):
        super().__init__()
        self.pieces, self.notices, self.fields, self.tags, self.inside = [], [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        known = dict(attributes)
        self.tags.append((tag, known))
        if tag == "p" and "notice" in known.get("class", "").split():
            self.notices.append("")
            self.inside.append("notice")
        if tag == "input" and known.get("type") == "hidden":
            self.fields.append((known["name"], known["value"]))

    def handle_endtag(self, tag):
        if tag == "p" and self.inside:
            self.inside.pop()

    def handle_data(self, data):
        self.pieces.append(data)
        if self.inside:
            self.notices[-1] += data


class Answer:
    """One answer: `status`, `headers` (names in small letters), `body`; `text` is what a person reads."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body
        self.html = body.decode(errors="replace")
        self.parsed = Text(self.html) if "html" in headers.get("content-type", "") else None
        self.text = re.sub(r"\s+", " ", " ".join(self.parsed.pieces)) if self.parsed else self.html

    @property
    def notices(self):
        """What the page says in answer to a form."""
        return [re.sub(r"\s+", " ", one).strip() for one in self.parsed.notices]

    @property
    def csrf(self):
        return dict(self.parsed.fields)["csrf"]


class Visitor:
    """`Visitor(cloud)` has no session yet; `enter()` opens the console with an address of the cloud's."""

    def __init__(self, cloud):
        self.cloud, self.port, self.cookies, self.csrf = cloud, cloud.ports["console"], {}, None
        self.origin = f"http://127.0.0.1:{self.port}"

    def address(self):
        """A fresh address that opens the console, at 127.0.0.1: a plain client does not find its name."""

        async def ask():
            return self.cloud.server.console.address()

        return re.sub(r"//[^:/]+", "//127.0.0.1", self.cloud.call(ask()))

    def enter(self, address=None):
        parts = urlsplit(address or self.address())
        self.request("GET", f"{parts.path}?{parts.query}")
        self.csrf = self.get("/").csrf
        return self

    def request(self, method, path, body=None, headers=None):
        """One request as it is; cookies are sent and kept."""
        more = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {**more, **(headers or {})})
            response = connection.getresponse()
            answer = Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()
        found = re.match(r"([^=]+)=([^;]*)", answer.headers.get("set-cookie", ""))
        if found:
            self.cookies[found[1]] = found[2]
        return answer

    def get(self, path, **query):
        return self.request("GET", path + ("?" + urlencode(query) if query else ""))

    def send(self, path, headers=None, files=None, **fields):
        """A form as a page sends it, with the session's token; the answer as it comes."""
        values = {"csrf": self.csrf, **fields}
        kind, body = "application/x-www-form-urlencoded", urlencode(values).encode()
        if files is not None:
            kind, body = f"multipart/form-data; boundary={BOUNDARY}", multipart(values, files)
        return self.request(
            "POST", path, body, {"Origin": self.origin, "Content-Type": kind, **(headers or {})}
        )

    def post(self, path, **fields):
        """The page that a form leads to."""
        answer = self.send(path, **fields)
        assert answer.status == 303, answer.text
        return self.get(answer.headers["location"])


def multipart(values, files):
    """The body of a form with files: {field: (file name, bytes)}."""
    parts = [(f'name="{name}"', value.encode()) for name, value in values.items()]
    parts += [(f'name="{name}"; filename="{file}"', data) for name, (file, data) in files.items()]
    head = "--{}\r\nContent-Disposition: form-data; {}\r\n\r\n"
    made = b"".join(head.format(BOUNDARY, about).encode() + data + b"\r\n" for about, data in parts)
    return made + f"--{BOUNDARY}--\r\n".encode()
