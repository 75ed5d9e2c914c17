"""Safe opening of markup: packed or not, in any common encoding, without document types that define something.

No entity is expanded and nothing is fetched: a document type is cut off, one with an internal subset is refused.
Depth is bounded by libxml2 (2,048), size by the caps below.
"""

import codecs
import re
import zlib
from html.entities import html5

from lxml import etree

from core.errors import InputError

MAX_BYTES = 256 * 1024 * 1024  # of one document, unpacked
MAX_RATIO = 100  # unpacked to packed size
RATIO_FREE_BYTES = 1024 * 1024  # below this much output the ratio is not asked for
MAX_MARKS = 6_000_000  # "<" and "=" signs: each may become a node of about 120 bytes
COUNT_FROM_BYTES = 8 * 1024 * 1024  # smaller documents cannot hold too many
CHUNK = 1024 * 1024

SPACE = re.compile(rb"(?:\s|\xef\xbb\xbf)*")
DECLARED = re.compile(rb"\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})")
META = re.compile(rb"<meta[^>]{1,200}?charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
QUOTED = rb"(?:\"[^\"]*\"|'[^']*')"
DOCTYPE = re.compile(
    rb"<!DOCTYPE\s+[^\s<>\[]+(?:\s+PUBLIC\s+%b(?:\s*%b)?|\s+SYSTEM\s+%b)?\s*>" % (QUOTED, QUOTED, QUOTED), re.IGNORECASE
)
FIRST_TAG = re.compile(rb"<(?:[A-Za-z_][\w.\-]*:)?([A-Za-z_][\w.\-]*)", re.ASCII)
ENTITY = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,40});")
WRAPPERS = (b"<SEC-DOCUMENT>", b"<SUBMISSION>", b"<DOCUMENT>", b"-----BEGIN PRIVACY")
XML_ENTITIES = {b"amp", b"lt", b"gt", b"quot", b"apos"}
MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"))
MARKS_16 = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
UNMARKED_16 = ((b"<\0", "utf-16-le"), (b"\0<", "utf-16-be"))
CHINESE = {"gb2312": "gb18030", "gbk": "gb18030"}
ONE_BYTE = {f"iso8859-{number}" for number in range(1, 17)} | {f"cp125{number}" for number in range(9)}
DECODABLE = {"gb18030", "big5", "big5hkscs", "shift_jis", "cp932", "euc_jp", "euc_kr", "cp949", "koi8-r"} | ONE_BYTE
PLAIN = {"utf-8", "ascii", "utf-16", "utf-16-le", "utf-16-be", "utf-32"}  # a readable declaration of 16 bits is wrong


def unpack(content: bytes, file: str) -> bytes:
    """The document's bytes; a gzip file is unpacked, within the caps."""
    if content[:2] == b"\x1f\x8b":
        content = _gunzip(content, file)
    if len(content) > MAX_BYTES:
        raise InputError(f"{file}: {len(content)} bytes; at most {MAX_BYTES} are read", code="TOO_LARGE")
    return content


def decode(content: bytes, file: str) -> str:
    """The text of a document: byte-order mark, then what it declares, then UTF-8, then GB18030; never a guess."""
    return to_utf8(unpack(content, file), file).decode("utf-8")


def parse(content: bytes, file: str) -> etree._Element:
    """The root element of an XML or XHTML document, without comments, with HTML's named characters resolved."""
    text = _unwrap(to_utf8(unpack(content, file), file))
    start = _prolog_end(text, file)
    body = text[start:]
    if len(body) > COUNT_FROM_BYTES and (marks := body.count(b"<") + body.count(b"=")) > MAX_MARKS:
        message = f"{file}: {marks} elements and attributes; at most {MAX_MARKS} are read; split the file"
        raise InputError(message, code="TOO_LARGE")
    try:
        return etree.fromstring(body, _parser())
    except etree.XMLSyntaxError as error:
        if "Entity" not in str(error.msg):  # &nbsp; and the like: HTML's, which XML does not know
            raise _refusal(error, file, text[:start]) from None
    try:
        return etree.fromstring(ENTITY.sub(_character, body), _parser())
    except etree.XMLSyntaxError as error:
        raise _refusal(error, file, text[:start]) from None


def first_tag(content: bytes) -> str:
    """The local name of the first element, in lower case; "" if there is none, whatever follows it."""
    try:
        text = content if content[:1] == b"<" else to_utf8(content, "")
        found = FIRST_TAG.match(text, _prolog_end(text, ""))
    except InputError:  # the parser will say what is wrong with it
        return ""
    return found[1].decode("ascii").lower() if found else ""


def to_utf8(content: bytes, file: str) -> bytes:
    """The same text in UTF-8, without a byte-order mark."""
    for mark, name in (*MARKS, *MARKS_16, *UNMARKED_16):
        if content.startswith(mark):
            text = _decoded(content, name)
            if text is None:
                raise InputError(f"{file}: begins as {name} but is not; save it as UTF-8", code="BAD_ENCODING")
            return text.lstrip("\ufeff").encode("utf-8")
    declared = _declared(content[:4096], file)
    if declared in DECODABLE and (text := _decoded(content, declared)) is not None:
        return text.encode("utf-8")
    if content.isascii() or _decoded(content, "utf-8") is not None:
        return content
    if (text := _decoded(content, "gb18030")) is not None:
        return text.encode("utf-8")
    message = f"{file}: text in no readable encoding (declared: {declared or 'none'}; tried UTF-8, GB18030)"
    raise InputError(f"{message}; save it as UTF-8", code="BAD_ENCODING")


def _gunzip(content: bytes, file: str) -> bytes:
    parts: list[bytes] = []
    size, cap = 0, min(MAX_BYTES, max(MAX_RATIO * len(content), RATIO_FREE_BYTES))
    while content:
        stream = zlib.decompressobj(31)
        try:
            while not stream.eof and content:
                parts.append(stream.decompress(content, CHUNK))
                size += len(parts[-1])
                content = stream.unconsumed_tail
                if size > cap:
                    message = f"{file}: unpacks to more than {cap} bytes; allowed are {MAX_RATIO} times its packed size"
                    raise InputError(f"{message} and {MAX_BYTES}", code="BOMB")
            parts.append(stream.flush() if stream.eof else b"")
        except zlib.error as error:
            raise InputError(f"{file}: a damaged gzip file ({error}); fetch it again", code="BAD_ARCHIVE") from None
        if not stream.eof:
            raise InputError(f"{file}: a gzip file that was cut off; fetch it again", code="TRUNCATED")
        content = stream.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _declared(head: bytes, file: str) -> str | None:
    found = DECLARED.match(head) or META.search(head)
    if found is None:
        return None
    try:
        name = codecs.lookup(found[1].decode("ascii")).name
    except LookupError:
        return None
    name = CHINESE.get(name, name)
    if name not in DECODABLE and name not in PLAIN:
        raise InputError(
            f"{file}: declares the encoding {name}, which is not read; save it as UTF-8", code="BAD_ENCODING"
        )
    return name


def _decoded(content: bytes, name: str) -> str | None:
    try:
        return content.decode(name)
    except UnicodeDecodeError:
        return None


def _unwrap(text: bytes) -> bytes:
    """The first document of a submission as EDGAR stores it (<DOCUMENT> ... <TEXT><XBRL> ...), or the text itself."""
    if not text[:200].lstrip().startswith(WRAPPERS):
        return text
    start = text.find(b"<TEXT>") + len(b"<TEXT>")
    end = text.find(b"</TEXT>", start)
    text = text[start : end if end > 0 else None].strip()
    return text.removeprefix(b"<XBRL>").removesuffix(b"</XBRL>")


def _prolog_end(text: bytes, file: str) -> int:
    """Where the first element starts: declarations, comments and a bare document type are passed over."""
    position = 0
    while True:
        position = _after_space(text, position)
        if text.startswith(b"<?", position):
            end = text.find(b"?>", position) + 2
        elif text.startswith(b"<!--", position):
            end = text.find(b"-->", position) + 3
        elif text[position : position + 9].upper() == b"<!DOCTYPE":
            bare = DOCTYPE.match(text, position)
            if bare is None:
                message = f"{file}: a document type that defines something (an internal subset or entities) is refused"
                raise InputError(f"{message}; remove it", code="DTD_REFUSED")
            end = bare.end()
        else:
            return position
        if end < position + 4:
            raise InputError(f"{file}: the markup ends inside its prolog; fetch the file again", code="BAD_MARKUP")
        position = end


def _after_space(text: bytes, position: int) -> int:
    found = SPACE.match(text, position)
    return found.end() if found else position


def _character(match: re.Match[bytes]) -> bytes:
    name = match[1]
    characters = None if name in XML_ENTITIES else html5.get(name.decode("ascii") + ";")
    return match[0] if characters is None else b"".join(b"&#%d;" % ord(character) for character in characters)


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",  # ours, whatever the file declares
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=True,  # a picture inside an attribute passes 10 MB; depth stays bounded
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


def _refusal(error: etree.XMLSyntaxError, file: str, prolog: bytes) -> InputError:
    reason = str(error.msg).splitlines()[0] if error.msg else "not markup"
    if "depth" in reason.lower():
        return InputError(f"{file}: elements nested deeper than 2048 are refused", code="TOO_DEEP")
    line = (error.lineno or 1) + prolog.count(b"\n")
    return InputError(f"{file}: not well-formed at line {line}: {reason[:200]}", code="BAD_MARKUP")
