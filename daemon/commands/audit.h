// Audit: how a client's request is put on record. Pure.
#pragma once

#include <string>

#include "common/wire/messages.h"

namespace slc {

// It asks for a change of something, as opposed to a look.
bool IsChange(const RequestBody& body);
// What the client was called to do, as an operator calls it: "soft-restart".
const char* NameOfChange(const RequestBody& body);
// The service it is about, as the client called it; empty: none.
std::string ServiceNamedBy(const RequestBody& body);
// What it asks for beyond its verb, in short: names of environment variables, never their values.
std::string DescribeRequest(const RequestBody& body);

}  // namespace slc
