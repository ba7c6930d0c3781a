// A journal, which disks may damage and a loss of power may tear.
#include "common/model/journal.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace slc;
  const std::string text = fuzz::Text(data, size);
  std::string sound;
  const JournalScan scan = ScanJournal(text, [&](std::string_view line) { sound += line; });
  const JournalScan again = ScanJournal(sound);
  fuzz::Check(again.sound == scan.sound && again.damaged == 0 && again.torn == 0,
              "what was taken for sound is sound by itself");
  fuzz::Check(sound.size() + scan.torn <= text.size(), "nothing is made up");
  // Any bytes as what a line says, under a checksum that fits: fields are checked all the same.
  const auto record = DecodeJournalLine(SealJournalLine(text));
  if (!record) return 0;
  const std::string line = EncodeJournalLine(*record);
  const auto once = DecodeJournalLine(std::string_view(line).substr(0, line.size() - 1));
  fuzz::Check(once.ok(), "what was encoded decodes");
  fuzz::Check(EncodeJournalLine(*once) == line, "nothing is lost by encoding");
  return 0;
}
