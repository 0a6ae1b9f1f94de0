"""The file types that can be read, and by what they are known."""

from __future__ import annotations

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TSV = "text/tab-separated-values"
TEXT = "text/plain"
PYTHON = "text/x-python"

SUPPORTED = "PDF, DOCX, HTML, Markdown, plain text, CSV and source code"

# Type and language of source code, by the name's ending.
_CODE = {
    "bash": ("application/x-sh", "shell"),
    "c": ("text/x-c", "c"),
    "cc": ("text/x-c++", "cpp"),
    "cfg": ("text/x-ini", "ini"),
    "clj": ("text/x-clojure", "clojure"),
    "cpp": ("text/x-c++", "cpp"),
    "cs": ("text/x-csharp", "csharp"),
    "css": ("text/css", "css"),
    "cxx": ("text/x-c++", "cpp"),
    "dart": ("text/x-dart", "dart"),
    "ex": ("text/x-elixir", "elixir"),
    "exs": ("text/x-elixir", "elixir"),
    "go": ("text/x-go", "go"),
    "gradle": ("text/x-groovy", "groovy"),
    "groovy": ("text/x-groovy", "groovy"),
    "h": ("text/x-c", "c"),
    "hcl": ("text/x-hcl", "hcl"),
    "hpp": ("text/x-c++", "cpp"),
    "hs": ("text/x-haskell", "haskell"),
    "ini": ("text/x-ini", "ini"),
    "java": ("text/x-java", "java"),
    "js": ("text/javascript", "javascript"),
    "json": ("application/json", "json"),
    "jsonl": ("application/jsonl", "json"),
    "jsx": ("text/javascript", "javascript"),
    "kt": ("text/x-kotlin", "kotlin"),
    "kts": ("text/x-kotlin", "kotlin"),
    "less": ("text/x-less", "less"),
    "lua": ("text/x-lua", "lua"),
    "m": ("text/x-objective-c", "objective-c"),
    "mjs": ("text/javascript", "javascript"),
    "ndjson": ("application/jsonl", "json"),
    "php": ("application/x-httpd-php", "php"),
    "pl": ("text/x-perl", "perl"),
    "properties": ("text/x-ini", "ini"),
    "proto": ("text/x-protobuf", "protobuf"),
    "ps1": ("text/x-powershell", "powershell"),
    "py": (PYTHON, "python"),
    "pyi": (PYTHON, "python"),
    "r": ("text/x-r", "r"),
    "rb": ("text/x-ruby", "ruby"),
    "rs": ("text/x-rust", "rust"),
    "scala": ("text/x-scala", "scala"),
    "scss": ("text/x-scss", "scss"),
    "sh": ("application/x-sh", "shell"),
    "sql": ("application/sql", "sql"),
    "swift": ("text/x-swift", "swift"),
    "tf": ("text/x-hcl", "hcl"),
    "toml": ("application/toml", "toml"),
    "ts": ("text/x-typescript", "typescript"),
    "tsx": ("text/x-typescript", "typescript"),
    "xml": ("application/xml", "xml"),
    "yaml": ("application/yaml", "yaml"),
    "yml": ("application/yaml", "yaml"),
    "zsh": ("application/x-sh", "shell"),
}

BY_ENDING = {
    "pdf": PDF,
    "docx": DOCX,
    "html": HTML,
    "htm": HTML,
    "xhtml": HTML,
    "md": MARKDOWN,
    "markdown": MARKDOWN,
    "mdown": MARKDOWN,
    "mdx": MARKDOWN,
    "csv": CSV,
    "tsv": TSV,
    "tab": TSV,
    "txt": TEXT,
    "text": TEXT,
    "log": TEXT,
    "rst": TEXT,
    **{ending: code[0] for ending, code in _CODE.items()},
}

LANGUAGES = dict(_CODE.values())
"""Languages by the type of their source code."""

DECLARED = {
    **{type_: type_ for type_ in BY_ENDING.values()},
    "application/xhtml+xml": HTML,
    "text/x-markdown": MARKDOWN,
    "application/csv": CSV,
    "application/javascript": "text/javascript",
    "application/x-javascript": "text/javascript",
    "application/x-python-code": PYTHON,
    "application/x-yaml": "application/yaml",
    "text/yaml": "application/yaml",
    "text/x-yaml": "application/yaml",
    "text/x-sh": "application/x-sh",
    "text/x-sql": "application/sql",
    "text/xml": "application/xml",
}
"""Types by the content type that a client declares."""

# fmt: off
UNSUPPORTED_ENDINGS = frozenset((
    "7z", "avi", "bin", "bmp", "bz2", "class", "dll", "dmg", "doc", "docm", "dotx", "epub", "exe", "gif",
    "gz", "heic", "ico", "iso", "jar", "jpeg", "jpg", "key", "mov", "mp3", "mp4", "msg", "numbers", "odp",
    "ods", "odt", "ogg", "pages", "parquet", "png", "ppt", "pptx", "psd", "pst", "pyc", "rar", "rtf", "so",
    "sqlite", "svg", "tar", "tgz", "tif", "tiff", "wav", "webm", "webp", "wmv", "woff", "woff2", "xls",
    "xlsb", "xlsm", "xlsx", "xz", "zip", "zst",
))
# fmt: on

MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "PNG images"),
    (b"\xff\xd8\xff", "JPEG images"),
    (b"GIF87a", "GIF images"),
    (b"GIF89a", "GIF images"),
    (b"II*\x00", "TIFF images"),
    (b"MM\x00*", "TIFF images"),
    (b"\x7fELF", "ELF programs"),
    (b"\xfe\xed\xfa\xce", "Mach-O programs"),
    (b"\xcf\xfa\xed\xfe", "Mach-O programs"),
    (b"\xca\xfe\xba\xbe", "Java classes and Mach-O programs"),
    (b"\x1f\x8b", "gzip archives"),
    (b"\xfd7zXZ\x00", "xz archives"),
    (b"\x28\xb5\x2f\xfd", "zstd archives"),
    (b"7z\xbc\xaf\x27\x1c", "7z archives"),
    (b"Rar!\x1a\x07", "RAR archives"),
    (b"SQLite format 3\x00", "SQLite databases"),
    (b"{\\rtf", "RTF files"),
    (b"%!PS", "PostScript files"),
)
"""First bytes of types that can't be read and that no text begins with; NULs tell other binary data."""
