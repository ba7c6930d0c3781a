// The state that a successor takes over from: none of it may be lost.
#include "common/model/json.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const auto state = DecodeInstanceState(fuzz::Text(data, size));
  if (!state) return 0;
  const auto again = DecodeInstanceState(EncodeInstanceState(*state));
  fuzz::Check(again.ok(), "what was encoded decodes");
  fuzz::Check(*again == *state, "the state comes back as it was");
  fuzz::Check(InstancePhase(state->fleet) != nullptr, "every state has a word");
  return 0;
}
