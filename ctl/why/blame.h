// Blame: what had become another before a worker ended, from what the journal tells of generations
// and from the code that lies in the app's folder now. Pure.
#pragma once

#include "ctl/why/diagnosis.h"

namespace slc::ctl {

// Fills in changes, good and on_disk. `ended`: the generation of the last end; of none, the newest.
void Blame(const Symptoms& symptoms, Generation ended, Diagnosis& diagnosis);

}  // namespace slc::ctl
