/** Which ended updates go (updates.md §2.9): the rows of UPD-090, and what they leave open. */
import type { EndedUpdate } from '../../../src/core/update/pruning.js';
import { updatesToPrune } from '../../../src/core/update/pruning.js';

function ended(
  updateId: string,
  jobText: string,
  createdMs: number,
  jobHasTasks = true,
): EndedUpdate {
  return { updateId, jobText, createdMs, jobHasTasks };
}

const ALL = [
  ended('u2', 'job1', 124),
  ended('u3', 'job1', 125),
  ended('u4', 'job1', 126),
  ended('u5', 'job2', 123),
  ended('u6', 'job2', 125),
  ended('orphan', 'gone', 124, false),
];

/** The cutoff is now less the threshold. */
function prune(updates: readonly EndedUpdate[], cutoff: number, maxPerJob: number): string[] {
  return updatesToPrune(updates, cutoff + 10, { pruneThresholdMs: 10, maxPerJob }).sort();
}

test('UPD-090, TASK-073 as one run after another takes them', () => {
  let left = ALL;
  const run = (cutoff: number, keep: number): string[] => {
    const gone = prune(left, cutoff, keep);
    left = left.filter((update) => !gone.includes(update.updateId));
    return gone;
  };
  expect(run(120, 3)).toEqual(['orphan']);
  expect(run(120, 2)).toEqual(['u2']);
  expect(run(120, 1)).toEqual(['u3', 'u5']);
  expect(run(126, 1)).toEqual(['u6']);
  expect(run(120, 0)).toEqual(['u4']);
  expect(left).toEqual([]);
});

test('what is exactly as old as the threshold stays', () => {
  expect(prune([ended('a', 'job', 100)], 100, 1)).toEqual([]);
  expect(prune([ended('a', 'job', 100)], 101, 1)).toEqual(['a']);
});

test('what is past the threshold takes no place from the rest', () => {
  const updates = [ended('old', 'job', 1), ended('a', 'job', 200), ended('b', 'job', 201)];
  expect(prune(updates, 100, 2)).toEqual(['old']);
});

test('updates of a job without tasks all go, and are named once', () => {
  const updates = [ended('a', 'gone', 200, false), ended('b', 'gone', 201, false)];
  expect(prune(updates, 100, 1)).toEqual(['a', 'b']);
});
