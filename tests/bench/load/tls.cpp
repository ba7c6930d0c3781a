#include "tests/bench/load/tls.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include <openssl/bio.h>
#include <openssl/err.h>

namespace slc::load {
namespace {

constexpr std::size_t kRecordBytes = 16 * 1024;

bool IsAddress(const std::string& name) {
  in6_addr scratch{};
  return inet_pton(AF_INET, name.c_str(), &scratch) == 1 ||
         inet_pton(AF_INET6, name.c_str(), &scratch) == 1;
}

[[noreturn]] void Abort(const char* what) {
  std::fprintf(stderr, "slc-load: OpenSSL: %s failed\n", what);
  std::abort();
}

}  // namespace

TlsContext::TlsContext() : context_(SSL_CTX_new(TLS_client_method())) {
  if (!context_) Abort("SSL_CTX_new");
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_OFF);
}

TlsSession::TlsSession(const TlsContext& context, const std::string& server_name)
    : ssl_(SSL_new(context.get())), input_(BIO_new(BIO_s_mem())), output_(BIO_new(BIO_s_mem())) {
  if (!ssl_ || input_ == nullptr || output_ == nullptr) Abort("SSL_new");
  // An empty input means "come back later", not EOF.
  BIO_set_mem_eof_return(input_, -1);
  BIO_set_mem_eof_return(output_, -1);
  SSL_set_bio(ssl_.get(), input_, output_);
  SSL_set_connect_state(ssl_.get());
  if (!IsAddress(server_name) &&
      SSL_ctrl(ssl_.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               const_cast<char*>(server_name.c_str())) != 1) {
    Abort("setting the server name");
  }
}

void TlsSession::Receive(std::string_view ciphertext) {
  if (ciphertext.empty()) return;
  if (BIO_write(input_, ciphertext.data(), static_cast<int>(ciphertext.size())) <= 0) {
    Abort("BIO_write");
  }
}

TlsSession::Status TlsSession::Handshake() {
  ERR_clear_error();
  return StatusOf(SSL_do_handshake(ssl_.get()));
}

TlsSession::ReadResult TlsSession::Read(std::span<char> buffer) {
  ERR_clear_error();
  std::size_t bytes = 0;
  int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &bytes);
  return {StatusOf(result), bytes};
}

TlsSession::ReadResult TlsSession::Write(std::string_view plaintext) {
  ERR_clear_error();
  std::size_t bytes = 0;
  int result =
      SSL_write_ex(ssl_.get(), plaintext.data(), std::min(plaintext.size(), kRecordBytes), &bytes);
  return {StatusOf(result), bytes};
}

std::string_view TlsSession::output() const {
  char* data = nullptr;
  long size = BIO_ctrl(output_, BIO_CTRL_INFO, 0, &data);
  if (size <= 0) return {};
  return std::string_view(data, static_cast<std::size_t>(size)).substr(output_sent_);
}

void TlsSession::DropOutput(std::size_t bytes) {
  output_sent_ += bytes;
  if (!output().empty()) return;
  // A memory BIO is cheap to empty as a whole, and moves its bytes if a part is read.
  BIO_reset(output_);
  output_sent_ = 0;
}

bool TlsSession::has_input() const {
  return SSL_pending(ssl_.get()) > 0 || BIO_ctrl_pending(input_) > 0;
}

TlsSession::Status TlsSession::StatusOf(int result) {
  if (result > 0) return Status::kOk;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Status::kWantsInput;
    case SSL_ERROR_ZERO_RETURN:
      return Status::kCloseNotify;
    default: {
      char text[256] = "";
      ERR_error_string_n(ERR_peek_last_error(), text, sizeof text);
      error_ = text;
      return Status::kFailed;
    }
  }
}

}  // namespace slc::load
