/*
 * Copyright 2026 the aurora-shim authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

/*
 * What aurora-shim answers at /api beyond the API of Aurora. It stands in a file of its own, so that
 * aurora.thrift stays exactly what old clients were built from; docs/extension.md shows calls.
 *
 * Replies. The union of results in aurora.Response must not grow, so each method here has a reply struct of
 * its own. Fields 1, 5 and 6 are those of Response, ids and types; the result is field 7, which Response
 * never had. A client that knows only Response reads the code and the details of these replies, too.
 *
 * Times are milliseconds since 1970 on the scheduler's wall clock, durations are milliseconds.
 */

include "aurora.thrift"

namespace java org.apache.aurora.shim.gen
namespace py gen.apache.aurora.shim

/* ---- Heartbeats --------------------------------------------------------------------------------- */

/** OK and FINISHED have the numbers of aurora.JobUpdatePulseStatus. */
enum HeartbeatStatus {
  /** Noted; the update goes on, at once if it was blocked. */
  OK = 1
  /** It needs no more heartbeats: it has ended, or was never coordinated. */
  FINISHED = 2
  /** Noted, but somebody paused the update: it goes on only after resumeJobUpdate. */
  PAUSED = 3
}

struct HeartbeatJobUpdateResult {
  1: HeartbeatStatus status
}

struct HeartbeatJobUpdateReply {
  1: aurora.ResponseCode responseCode
  5: aurora.ServerInfo serverInfo
  6: list<aurora.ResponseDetail> details
  7: optional HeartbeatJobUpdateResult result
}

/** The first two mean what pulseJobUpdate means by them, and have its numbers. */
enum BulkPulseStatus {
  OK = 1
  FINISHED = 2
  /** There is no such update. */
  UNKNOWN = 3
  /** No update can have that key: a part of it is missing or holds characters no key has. */
  MALFORMED_KEY = 4
  /** The caller may not pulse updates of that job, whether there is such an update or not. */
  NOT_PERMITTED = 5
}

struct PulsedJobUpdate {
  /** As it was sent. */
  1: aurora.JobUpdateKey key
  2: BulkPulseStatus status
}

struct PulseJobUpdatesResult {
  /** One for each key of the call, in no order that means anything. */
  1: list<PulsedJobUpdate> updates
}

struct PulseJobUpdatesReply {
  1: aurora.ResponseCode responseCode
  5: aurora.ServerInfo serverInfo
  6: list<aurora.ResponseDetail> details
  7: optional PulseJobUpdatesResult result
}

/* ---- Why is it not moving? ---------------------------------------------------------------------- */

/** Conditions are ANDed; one that is unset or empty is none. Updates that have ended never match. */
struct JobUpdateBlockersQuery {
  1: optional set<aurora.JobUpdateKey> keys
  2: optional set<aurora.JobKey> jobs
  3: optional set<string> updateIds
}

/** No fresh heartbeat: nothing is done before the next one. */
struct HeartbeatBlocker {
  /** When the heartbeat went stale; with none so far, when the update or this scheduler started. */
  1: i64 sinceMs
  /** Unset when this scheduler process never got one. */
  2: optional i64 lastPulseMs
  /** How old that one is now, on a clock that nobody can set. */
  3: optional i64 lastPulseAgeMs
  /** The update's blockIfNoPulsesAfterMs. */
  4: i64 limitMs
}

/** Paused until resumeJobUpdate, rollbackJobUpdate or abortJobUpdate. */
struct PauseBlocker {
  1: i64 sinceMs
  /** Unset when the update paused itself between two batches. */
  2: optional string user
  3: optional string message
}

enum InstanceWaitReason {
  /** Its task has to end or to come up; taskStatus tells which, and with no task it has to be made. */
  TASK = 1
  /** Its task runs and is watched, until untilMs. */
  WATCH = 2
  /** Its task may be killed only when the job's SLA allows it. */
  SLA_CHECK = 3
}

struct InstanceWait {
  1: i32 instanceId
  2: InstanceWaitReason reason
  3: i64 sinceMs
  /** For WATCH: when the watch ends if nothing happens. */
  4: optional i64 untilMs
  /** Unset when the instance has no task at this moment. */
  5: optional string taskId
  6: optional aurora.ScheduleStatus taskStatus
}

/** The last step failed inside the scheduler and is repeated: its log says why. */
struct FailedStepBlocker {
  /** The pause before the repetition, doubling from one second to a minute. */
  1: i64 delayMs
}

/**
 * One active update. `pause` and `heartbeat` may both stand in its way. Instances are told only where neither
 * does: behind them nothing that an instance does can move the update.
 */
struct JobUpdateBlockers {
  1: aurora.JobUpdateKey key
  /** As getJobUpdateSummaries would show it. */
  2: aurora.JobUpdateStatus status
  /** Who started it. */
  3: string user
  /** As sent by the starter, for instance a link to the monitor. */
  4: set<aurora.Metadata> metadata
  /** All of what follows in one line for people. */
  5: string text
  6: optional PauseBlocker pause
  7: optional HeartbeatBlocker heartbeat
  /** The longest waiting first; at most one hundred are listed. */
  8: list<InstanceWait> instances
  /** How many instances are waited for, listed or not. */
  9: i32 instanceCount
  10: optional FailedStepBlocker failedStep
}

struct GetJobUpdateBlockersResult {
  1: list<JobUpdateBlockers> updates
}

struct GetJobUpdateBlockersReply {
  1: aurora.ResponseCode responseCode
  5: aurora.ServerInfo serverInfo
  6: list<aurora.ResponseDetail> details
  7: optional GetJobUpdateBlockersResult result
}

service AuroraShim extends aurora.AuroraAdmin {
  /**
   * pulseJobUpdate for who knows the update's id alone. An id of no update is INVALID_REQUEST: stop.
   */
  HeartbeatJobUpdateReply heartbeatJobUpdate(1: string updateId)

  /**
   * Pulses up to 10,000 updates; more are INVALID_REQUEST, and none is pulsed. Keys do not disturb each
   * other: an unknown one has a status of its own.
   */
  PulseJobUpdatesReply pulseJobUpdates(1: set<aurora.JobUpdateKey> keys)

  /** Why each of these active updates is not moving. */
  GetJobUpdateBlockersReply getJobUpdateBlockers(1: JobUpdateBlockersQuery query)
}
