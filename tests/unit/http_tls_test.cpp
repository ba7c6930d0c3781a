#include <cstdlib>
#include <string>

#include <doctest/doctest.h>

#include "common/http/tls.h"
#include "tests/unit/temp_folder.h"

namespace slc::http {
namespace {

// Made anew for each run: an authority, and what it has signed for "localhost".
struct Certificates {
  Certificates() {
    const std::string command =
        "cd " + home.path() +
        " && exec >/dev/null 2>&1 && openssl req -x509 -newkey ec -pkeyopt "
        "ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem"
        " && for name in localhost operator; do openssl req -newkey ec -pkeyopt "
        "ec_paramgen_curve:prime256v1 -nodes -subj /CN=$name -addext "
        "subjectAltName=DNS:$name,IP:127.0.0.1 -keyout $name.key -out $name.csr && openssl x509 "
        "-req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -copy_extensions copy "
        "-out $name.pem; done";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  std::string Pem(const std::string& name) const { return home.Read(name + ".pem"); }
  std::string Key(const std::string& name) const { return home.Read(name + ".key"); }

  TempFolder home;
};

const Certificates& Made() {
  static const Certificates made;
  return made;
}

TlsContext ServerContext(bool mutual = false) {
  TlsContext::ServerOptions options;
  options.certificate = Made().Pem("localhost");
  options.key = Made().Key("localhost");
  if (mutual) options.client_ca = Made().Pem("ca");
  auto context = TlsContext::Server(options);
  REQUIRE(context);
  return *context;
}

TlsContext ClientContext(const std::string& who = {}) {
  TlsContext::ClientOptions options;
  options.ca = Made().Pem("ca");
  if (!who.empty()) {
    options.certificate = Made().Pem(who);
    options.key = Made().Key(who);
  }
  auto context = TlsContext::Client(options);
  REQUIRE(context);
  return *context;
}

// Both sides, and what each has heard.
struct Conversation {
  Conversation(const TlsContext& server_context, const TlsContext& client_context,
               const std::string& host)
      : server(server_context), client(client_context, host) {}

  // Carries bytes, `piece` at a time, until nobody has any; the first error ends it.
  Status Exchange(std::size_t piece = std::string::npos) {
    while (true) {
      const std::string to_server = client.TakeOutput();
      const std::string to_client = server.TakeOutput();
      if (to_server.empty() && to_client.empty()) return Ok();
      for (std::size_t at = 0; at < to_server.size(); at += std::min(piece, to_server.size())) {
        if (Status got = server.Receive(to_server.substr(at, piece), server_heard); !got)
          return got;
      }
      for (std::size_t at = 0; at < to_client.size(); at += std::min(piece, to_client.size())) {
        if (Status got = client.Receive(to_client.substr(at, piece), client_heard); !got)
          return got;
      }
    }
  }

  TlsSession server;
  TlsSession client;
  std::string server_heard;
  std::string client_heard;
};

TEST_CASE("what one side says the other hears, whatever pieces it comes in") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, std::string::npos}) {
    Conversation talk(ServerContext(), ClientContext(), "localhost");
    // Before the handshake.
    CHECK(talk.client.Send("GET / HTTP/1.1\r\n\r\n").ok());
    REQUIRE(talk.Exchange(piece).ok());
    CHECK(talk.server.established());
    CHECK(talk.client.established());
    CHECK(talk.server_heard == "GET / HTTP/1.1\r\n\r\n");
    const std::string large(300'000, 'x');
    CHECK(talk.server.Send(large).ok());
    REQUIRE(talk.Exchange(piece == 1 ? 1000 : piece).ok());
    CHECK(talk.client_heard == large);
    CHECK_FALSE(talk.client.peer_closed());
    talk.server.Close();
    REQUIRE(talk.Exchange(piece).ok());
    CHECK(talk.client.peer_closed());
    CHECK(talk.server.peer_name().empty());
  }
}

TEST_CASE("a client trusts only whom its authority has named so") {
  CHECK(Conversation(ServerContext(), ClientContext(), "127.0.0.1").Exchange().ok());
  const Status other = Conversation(ServerContext(), ClientContext(), "example.org").Exchange();
  REQUIRE_FALSE(other);
  CHECK(other.error().code == ErrorCode::kPermission);
  TlsContext::ClientOptions options;
  options.ca = Made().Pem("operator");
  auto stranger = TlsContext::Client(options);
  REQUIRE(stranger);
  CHECK_FALSE(Conversation(ServerContext(), *stranger, "localhost").Exchange());
}

TEST_CASE("a server that asks for certificates hears only those who have one") {
  Conversation known(ServerContext(true), ClientContext("operator"), "localhost");
  REQUIRE(known.client.Send("hello").ok());
  REQUIRE(known.Exchange().ok());
  CHECK(known.server_heard == "hello");
  CHECK(known.server.peer_name() == "operator");
  Conversation unknown(ServerContext(true), ClientContext(), "localhost");
  REQUIRE(unknown.client.Send("hello").ok());
  CHECK_FALSE(unknown.Exchange());
  CHECK(unknown.server_heard.empty());
}

TEST_CASE("what is no TLS is an error") {
  TlsSession server(ServerContext());
  std::string heard;
  CHECK_FALSE(server.Receive("GET / HTTP/1.1\r\nHost: a\r\n\r\n", heard));
  CHECK(heard.empty());
}

TEST_CASE("certificates that do not fit are refused with a reason") {
  TlsContext::ServerOptions options;
  options.certificate = "nonsense";
  options.key = Made().Key("localhost");
  auto context = TlsContext::Server(options);
  REQUIRE_FALSE(context);
  CHECK(context.error().message.find("read the certificate: ") == 0);
  options.certificate = Made().Pem("localhost");
  options.key = Made().Key("operator");
  context = TlsContext::Server(options);
  REQUIRE_FALSE(context);
  CHECK(context.error().message == "use the key: key values mismatch");
  options.key = "";
  CHECK_FALSE(TlsContext::Server(options));
  options.key = Made().Key("localhost");
  options.client_ca = "nonsense";
  CHECK_FALSE(TlsContext::Server(options));
}

}  // namespace
}  // namespace slc::http
