// SharedLooks: equal looks of many clients share one question to slcd, and its answer.
//
// Nobody is told what was over before he asked. Whoever comes while a question is under way gets no
// answer to that one, for slcd may have made it already; he waits with others like him, and the
// same is asked again for them as soon as that answer is there. So each question leaves after the
// requests of all who get its answer were read, and slcd makes the answer after it has read the
// question. Nothing is kept: an answer is for those who wait for it, and forgotten.
//
// At any time one question is under way for a look, however many ask; an asker waits for two of
// them at most.
//
// Who has left meanwhile is not taken out: to answer him is the caller's to pass over. Pure.
#pragma once

#include <compare>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/model/gateway.h"

namespace slc::gateway {

// A request that only looks. Equal ones have the same answer: also what somebody may see is found
// out once for all who share it, so whose they are is part of it.
struct Look {
  std::string principal;
  std::vector<Scope> scopes;
  std::string target;

  auto operator<=>(const Look& other) const = default;
};

template <typename Asker>
class SharedLooks {
 public:
  // True: the question is to be asked now. False: it will be, when Conclude() says so.
  bool Join(const Look& look, Asker asker) {
    const auto [found, first] = questions_.try_emplace(look);
    (first ? found->second.asked : found->second.waiting).push_back(std::move(asker));
    return first;
  }

  struct Concluded {
    std::vector<Asker> askers;  // who get the answer
    bool again = false;         // the question is to be asked once more, for others
  };
  // The answer to the question that is under way is there.
  Concluded Conclude(const Look& look) {
    const auto found = questions_.find(look);
    Question& question = found->second;
    Concluded concluded{std::move(question.asked), !question.waiting.empty()};
    if (concluded.again) {
      question.asked = std::exchange(question.waiting, {});
    } else {
      questions_.erase(found);
    }
    return concluded;
  }

  bool empty() const { return questions_.empty(); }

 private:
  struct Question {
    std::vector<Asker> asked;    // for whom it is under way
    std::vector<Asker> waiting;  // who came since
  };
  std::map<Look, Question> questions_;
};

}  // namespace slc::gateway
