// A case is one measurement for several managers. Its figures: {manager: {rounds: [{metric: number}], why}}, where
// `why` says why there are none.
//
//   {id, metrics, managers, rounds, measure(manager)}         each round with a new installation, ended after it
//   {id, metrics, managers, rounds, open(manager), measure(manager, opened)}    one installation for all rounds
//   {id, metrics, managers, run(world, names)}                returns the figures itself
//
// Managers take turns, and who goes first takes turns, too: drift of the machine falls on all of them alike.
'use strict';

const { Unable } = require('./managers/manager');

const turned = (names, by) => names.map((_, i) => names[(i + by) % names.length]);

function note(figure, error) {
  figure.why = error instanceof Unable ? error.message : `failed: ${error.message.split('\n')[0]}`;
  if (process.env.BENCH_DEBUG) console.error(error.stack);
  else if (!(error instanceof Unable)) console.error(`  ${error.message}`);
}

async function anew(world, { measure }, name, figure) {
  let manager;
  try {
    manager = await world.manager(name);
    figure.rounds.push(await measure(manager));
  } catch (error) {
    note(figure, error);
  } finally {
    if (manager) await manager.close();
  }
}

async function opened(world, { open }, name, figure) {
  let manager;
  try {
    manager = await world.manager(name);
    return { manager, with: await open(manager) };
  } catch (error) {
    note(figure, error);
    if (manager) await manager.close();
    return null;
  }
}

async function takeTurns(world, what, names) {
  if (what.run) return what.run(world, names);
  const figures = Object.fromEntries(names.map((name) => [name, { rounds: [] }]));
  const standing = {};
  try {
    if (what.open) for (const name of names) standing[name] = await opened(world, what, name, figures[name]);
    for (let round = 0; round < what.rounds; round += 1) {
      for (const name of turned(names, round)) {
        const figure = figures[name];
        if (figure.why) continue;
        if (!what.open) await anew(world, what, name, figure);
        else {
          try {
            figure.rounds.push(await what.measure(standing[name].manager, standing[name].with));
          } catch (error) {
            note(figure, error);
          }
        }
      }
    }
  } finally {
    for (const one of Object.values(standing)) if (one) await one.manager.close();
  }
  return figures;
}

module.exports = { takeTurns, turned };
