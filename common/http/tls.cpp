#include "common/http/tls.h"

#include <algorithm>
#include <array>
#include <utility>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace slc::http {
namespace {

template <typename T, void (*kFree)(T*)>
struct Freer {
  void operator()(T* object) const { kFree(object); }
};
void FreeBio(BIO* bio) { BIO_free_all(bio); }
using Bio = std::unique_ptr<BIO, Freer<BIO, FreeBio>>;
using Certificate = std::unique_ptr<X509, Freer<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY, EVP_PKEY_free>>;

constexpr unsigned char kProtocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

Bio Reading(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The oldest error of this thread, which is the cause of the others; none is left.
Error TlsError(const std::string& what, ErrorCode code = ErrorCode::kInvalid) {
  const unsigned long error = ERR_get_error();
  ERR_clear_error();
  const char* reason = error != 0 ? ERR_reason_error_string(error) : nullptr;
  return Error{code, what + ": " + (reason != nullptr ? reason : "unknown error")};
}

int NoPassword(char*, int, int, void*) { return 0; }

int ChooseProtocol(SSL*, const unsigned char** out, unsigned char* out_length,
                   const unsigned char* offered, unsigned int offered_length, void*) {
  unsigned char* chosen = nullptr;
  const int found = SSL_select_next_proto(&chosen, out_length, kProtocols, sizeof(kProtocols),
                                          offered, offered_length);
  *out = chosen;
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

struct TlsContext::Impl {
  explicit Impl(const SSL_METHOD* method) : context(SSL_CTX_new(method)) {}
  ~Impl() { SSL_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void SetUp() const {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(
        context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    // Idle connections keep no buffers of 34 KB.
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  Status UseCertificate(const std::string& certificate, const std::string& key) const;
  Status Trust(const std::string& ca) const;

  SSL_CTX* context;
  bool server = false;
};

Status TlsContext::Impl::UseCertificate(const std::string& pem, const std::string& key_pem) const {
  const Bio bio = Reading(pem);
  const Certificate certificate(PEM_read_bio_X509_AUX(bio.get(), nullptr, NoPassword, nullptr));
  if (!certificate) return TlsError("read the certificate");
  if (SSL_CTX_use_certificate(context, certificate.get()) != 1) {
    return TlsError("use the certificate");
  }
  while (Certificate link{PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(context, link.get()) != 1) return TlsError("use the chain");
  }
  ERR_clear_error();
  const Bio key_bio = Reading(key_pem);
  const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, NoPassword, nullptr));
  if (!key) return TlsError("read the key (one with a password cannot be used)");
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    return TlsError("use the key");
  }
  return Ok();
}

Status TlsContext::Impl::Trust(const std::string& ca) const {
  const Bio bio = Reading(ca);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  int count = 0;
  while (const Certificate one{PEM_read_bio_X509(bio.get(), nullptr, NoPassword, nullptr)}) {
    if (X509_STORE_add_cert(store, one.get()) != 1) return TlsError("trust a certificate");
    ++count;
  }
  if (count == 0) return TlsError("read the certificates of the authority");
  ERR_clear_error();
  return Ok();
}

Result<TlsContext> TlsContext::Server(const ServerOptions& options) {
  auto impl = std::make_shared<Impl>(TLS_server_method());
  if (impl->context == nullptr) return TlsError("begin TLS", ErrorCode::kInternal);
  impl->server = true;
  impl->SetUp();
  SSL_CTX_set_alpn_select_cb(impl->context, ChooseProtocol, nullptr);
  if (Status used = impl->UseCertificate(options.certificate, options.key); !used) {
    return used.error();
  }
  if (!options.client_ca.empty()) {
    if (Status trusted = impl->Trust(options.client_ca); !trusted) return trusted.error();
    SSL_CTX_set_verify(impl->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Sessions are resumed only where they were made.
    static constexpr unsigned char kPlace[] = "slc";
    SSL_CTX_set_session_id_context(impl->context, kPlace, sizeof(kPlace) - 1);
  }
  return TlsContext(std::move(impl));
}

Result<TlsContext> TlsContext::Client(const ClientOptions& options) {
  auto impl = std::make_shared<Impl>(TLS_client_method());
  if (impl->context == nullptr) return TlsError("begin TLS", ErrorCode::kInternal);
  impl->SetUp();
  SSL_CTX_set_verify(impl->context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(impl->context, kProtocols, sizeof(kProtocols));
  if (options.ca.empty()) {
    SSL_CTX_set_default_verify_paths(impl->context);
  } else if (Status trusted = impl->Trust(options.ca); !trusted) {
    return trusted.error();
  }
  if (!options.certificate.empty()) {
    if (Status used = impl->UseCertificate(options.certificate, options.key); !used) {
      return used.error();
    }
  }
  return TlsContext(std::move(impl));
}

struct TlsSession::Impl {
  Impl(std::shared_ptr<TlsContext::Impl> of, const std::string& host)
      : context(std::move(of)), ssl(SSL_new(context->context)) {
    // Both belong to the session from here on.
    in = BIO_new(BIO_s_mem());
    out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    if (context->server) {
      SSL_set_accept_state(ssl);
      return;
    }
    SSL_set_connect_state(ssl);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // An address is not a name; what is neither is refused by the handshake.
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) != 1) {
      SSL_set1_host(ssl, host.c_str());
      SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(host.c_str()));
    }
    ERR_clear_error();
  }
  ~Impl() { SSL_free(ssl); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Whether `result` of an operation only means that bytes of the other side are missing.
  bool IsWaiting(int result) const {
    const int error = SSL_get_error(ssl, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }
  Status Handshake() {
    if (SSL_is_init_finished(ssl)) return Ok();
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl);
    if (result == 1 || IsWaiting(result)) return Ok();
    const long verified = SSL_get_verify_result(ssl);
    if (verified != X509_V_OK) {
      ERR_clear_error();
      return Error{ErrorCode::kPermission,
                   std::string("TLS: the certificate of the other side is not trusted: ") +
                       X509_verify_cert_error_string(verified)};
    }
    return TlsError("TLS handshake", ErrorCode::kProtocol);
  }
  Status Flush() {
    while (!unsealed.empty() && SSL_is_init_finished(ssl)) {
      ERR_clear_error();
      std::size_t taken = 0;
      const int result = SSL_write_ex(ssl, unsealed.data(), unsealed.size(), &taken);
      if (result != 1) {
        if (IsWaiting(result)) return Ok();
        return TlsError("TLS", ErrorCode::kProtocol);
      }
      unsealed.erase(0, taken);
    }
    return Ok();
  }

  std::shared_ptr<TlsContext::Impl> context;
  SSL* ssl;
  BIO* in = nullptr;
  BIO* out = nullptr;
  std::string unsealed;  // waits for the handshake
};

TlsSession::TlsSession(const TlsContext& context, const std::string& host)
    : impl_(std::make_unique<Impl>(context.impl_, host)) {
  // A client speaks first.
  if (!context.impl_->server) static_cast<void>(impl_->Handshake().ok());
}
TlsSession::~TlsSession() = default;

Status TlsSession::Receive(std::string_view sealed, std::string& plain) {
  while (!sealed.empty()) {
    const int put = BIO_write(impl_->in, sealed.data(),
                              static_cast<int>(std::min<std::size_t>(sealed.size(), 1U << 20)));
    if (put <= 0) return Error{ErrorCode::kInternal, "TLS: no memory"};
    sealed.remove_prefix(static_cast<std::size_t>(put));
  }
  if (Status done = impl_->Handshake(); !done) return done;
  if (Status sent = impl_->Flush(); !sent) return sent;
  std::array<char, 16384> buffer;
  while (SSL_is_init_finished(impl_->ssl)) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(impl_->ssl, buffer.data(), buffer.size(), &got);
    if (result == 1) {
      plain.append(buffer.data(), got);
      continue;
    }
    if (impl_->IsWaiting(result) || peer_closed()) break;
    return TlsError("TLS", ErrorCode::kProtocol);
  }
  return Ok();
}

Status TlsSession::Send(std::string_view plain) {
  impl_->unsealed += plain;
  return impl_->Flush();
}

void TlsSession::Close() {
  if (SSL_is_init_finished(impl_->ssl)) SSL_shutdown(impl_->ssl);
  ERR_clear_error();
}

std::string TlsSession::TakeOutput() {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(impl_->out, &bytes);
  std::string output(bytes, size > 0 ? static_cast<std::size_t>(size) : 0);
  static_cast<void>(BIO_reset(impl_->out));
  return output;
}

bool TlsSession::established() const { return SSL_is_init_finished(impl_->ssl) == 1; }
bool TlsSession::peer_closed() const {
  return (SSL_get_shutdown(impl_->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

std::string TlsSession::peer_name() const {
  const X509* certificate = SSL_get0_peer_certificate(impl_->ssl);
  if (certificate == nullptr || SSL_get_verify_result(impl_->ssl) != X509_V_OK) return {};
  std::array<char, 256> name{};
  const int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                               name.data(), static_cast<int>(name.size()));
  return length > 0 ? std::string(name.data(), static_cast<std::size_t>(length)) : std::string();
}

}  // namespace slc::http
