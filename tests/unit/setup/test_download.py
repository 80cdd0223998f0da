"""Ivy in a Java of its own, against repositories on this machine."""

import datetime
import functools
import http.server
import ipaddress
import ssl
import threading
import xml.etree.ElementTree as ET
import zipfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from clvspark.lakehouse.runtime import SetupError
from clvspark.lakehouse.runtime.ivy import download, module_descriptor, proxy_options
from clvspark.lakehouse.runtime.pins import Jar

ONE = Jar("org.example", "one", "1.0")
BUNDLE = Jar("org.example", "a-bundle", "2.0")
ABSENT = Jar("org.example", "absent", "3.0")


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def repository(tmp_path):
    """A Maven repository with two artifacts; `one` has a dependency that nobody has."""
    root = tmp_path / "repository"
    for jar, packaging in ((ONE, "jar"), (BUNDLE, "bundle")):
        folder = root / "org" / "example" / jar.name / jar.version
        folder.mkdir(parents=True)
        (folder / jar.file_name.replace(".jar", ".pom")).write_text(
            "<project><modelVersion>4.0.0</modelVersion><groupId>org.example</groupId>"
            f"<artifactId>{jar.name}</artifactId><version>{jar.version}</version>"
            f"<packaging>{packaging}</packaging><dependencies><dependency>"
            "<groupId>org.example</groupId><artifactId>unknown</artifactId><version>1</version>"
            "</dependency></dependencies></project>"
        )
        with zipfile.ZipFile(folder / jar.file_name, "w") as archive:
            archive.writestr("name.txt", jar.name)
    return root


@pytest.fixture
def use(monkeypatch, tmp_path):
    """Let Ivy ask the repository at a URL."""

    def use(url: str) -> None:
        settings = tmp_path / "settings.xml"
        settings.write_text(
            '<ivysettings><settings defaultResolver="mirror"/><resolvers>'
            f'<ibiblio name="mirror" m2compatible="true" root="{url}"/>'
            "</resolvers></ivysettings>"
        )
        monkeypatch.setenv("CLVSPARK_IVY_SETTINGS", str(settings))

    return use


@pytest.fixture
def company_certificate(tmp_path):
    """A certificate for 127.0.0.1 that only its own file vouches for, and the file of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a company's own authority")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = tmp_path / "company.pem", tmp_path / "key.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return certificate_file, key_file


@pytest.fixture
def https_url(repository, company_certificate):
    certificate_file, key_file = company_certificate
    handler = functools.partial(QuietHandler, directory=repository)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_file, key_file)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a refused certificate is what one test is about
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"https://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_jars_come_without_their_dependencies(repository, use, tmp_path):
    use(repository.as_uri())
    download([ONE, BUNDLE], into=tmp_path / "got")
    got = sorted((tmp_path / "got").iterdir())
    assert [path.name for path in got] == ["a-bundle-2.0.jar", "one-1.0.jar"]
    assert zipfile.ZipFile(got[1]).read("name.txt") == b"one"


def test_an_artifact_that_nobody_has_is_named_with_the_next_step(repository, use, tmp_path):
    use(repository.as_uri())
    with pytest.raises(SetupError) as caught:
        download([ONE, ABSENT], into=tmp_path / "got")
    assert "module not found: org.example#absent;3.0" in str(caught.value)
    assert "org.example#one" not in str(caught.value)
    assert "CLVSPARK_IVY_SETTINGS" in str(caught.value)


def test_java_trusts_the_authority_that_the_machine_trusts(
    https_url, company_certificate, use, monkeypatch, tmp_path
):
    monkeypatch.setenv("SSL_CERT_FILE", str(company_certificate[0]))
    use(https_url)
    download([ONE], into=tmp_path / "got")
    assert (tmp_path / "got" / "one-1.0.jar").is_file()


def test_java_refuses_an_authority_that_nobody_vouched_for(https_url, use, tmp_path):
    use(https_url)
    with pytest.raises(SetupError):
        download([ONE], into=tmp_path / "got")


def test_without_a_way_to_the_repository_the_error_says_so(use, tmp_path):
    use("http://127.0.0.1:9/")  # the discard port: nobody listens
    with pytest.raises(SetupError, match=r"ConnectException.*Connection refused") as caught:
        download([ONE], into=tmp_path / "got")
    assert "module not found" not in str(caught.value)


def test_the_request_is_well_formed_whatever_the_names_are():
    odd = Jar('a"b', "<&>", "1")
    dependency = ET.fromstring(module_descriptor([odd])).find("dependencies/dependency")
    assert dependency.attrib["org"] == 'a"b'
    assert dependency.attrib["name"] == "<&>"
    assert dependency.attrib["transitive"] == "false"


def test_a_proxy_of_the_environment_becomes_options_of_java():
    options = proxy_options({"https": "http://proxy.example:3128", "no": "localhost,.example.org"})
    assert options == [
        "-Dhttps.proxyHost=proxy.example",
        "-Dhttps.proxyPort=3128",
        "-Dhttp.nonProxyHosts=localhost|*.example.org",
    ]
    assert proxy_options({}) == []
