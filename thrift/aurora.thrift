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
 * The API that aurora-shim serves at /api.
 *
 * Ids, names, types and requiredness are the wire contract with clients that were built years ago: none
 * may change, and no gap in a struct's numbering may be filled, because older releases used those ids for
 * something else. test/wire/idl.test.ts holds this file against the contract as data.
 *
 * `optional` decides two things: whether Go leaves an unset value out, and nothing else. What the server
 * takes an absent value for is written at src/wire/presence.ts.
 */

namespace java org.apache.aurora.gen
namespace py gen.apache.aurora.api

/* ---- Words and numbers that both sides must agree on -------------------------------------------- */

/** Where a task's file system is mounted when its container has an image of its own. */
const string TASK_FILESYSTEM_MOUNT_POINT = "taskfs"

/** The executorConfig.name that stands for Thermos. */
const string AURORA_EXECUTOR_NAME = "AuroraExecutor"

/** A request with this header is served by whoever gets it, leader or not. */
const string BYPASS_LEADER_REDIRECT_HEADER_NAME = "Bypass-Leader-Redirect"

/** Roles, environments and names of jobs. Once for everybody, and once for each regular-expression dialect. */
const string GOOD_IDENTIFIER_PATTERN = "^[\\w\\-\\.]+$"
const string GOOD_IDENTIFIER_PATTERN_JVM = "^[\\w\\-\\.]+$"
const string GOOD_IDENTIFIER_PATTERN_PYTHON = "^[\\w\\-\\.]+$"

/* ---- Names of things ----------------------------------------------------------------------------- */

/** Who pays for a job. Only the user is left of it; the role lives in the job key. */
struct Identity {
  2: string user
}

/** A job, in one cluster. */
struct JobKey {
  1: string role
  2: string environment
  3: string name
}

/** One instance of a job, alive or not. */
struct InstanceKey {
  1: JobKey jobKey
  2: i32 instanceId
}

/** What a lock would be held on. No method uses locks any more. */
union LockKey {
  1: JobKey job
}

/** A lock of earlier releases; kept so that old readers find the type. */
struct Lock {
  1: LockKey key
  2: string token
  3: string user
  4: i64 timestampMs
  5: optional string message
}

/** A pair an operator may hang on a task or an update; the scheduler never looks inside. */
struct Metadata {
  1: string key
  2: string value
}

/** An artifact reference of earlier releases; no field refers to it. */
struct Package {
  1: string role
  2: string name
  3: i32 version
}

/** Instance ids first to last, both included. */
struct Range {
  1: i32 first
  2: i32 last
}

/* ---- Resources ----------------------------------------------------------------------------------- */

/** One kind of resource and how much of it: cores, MiB, MiB, a port's name, devices, addresses. */
union Resource {
  1: double numCpus
  2: i64 ramMb
  3: i64 diskMb
  4: string namedPort
  5: i64 numGpus
  6: i64 ipAddr
}

/** A quota, or a sum of what tasks use. Ids 1 to 3 held plain numbers up to release 0.20. */
struct ResourceAggregate {
  4: set<Resource> resources
}

/* ---- Task configuration -------------------------------------------------------------------------- */

/** The host's attribute must be (or, negated, must not be) one of these values. */
struct ValueConstraint {
  1: bool negated
  2: set<string> values
}

/** At most so many instances of the job for each value of the host's attribute. */
struct LimitConstraint {
  1: i32 limit
}

union TaskConstraint {
  1: ValueConstraint value
  2: LimitConstraint limit
}

/** A rule about one attribute of the hosts a task may run on. */
struct Constraint {
  1: string name
  2: TaskConstraint constraint
}

/** What runs the task, and a document only that executor understands: kept and returned byte for byte. */
struct ExecutorConfig {
  1: string name
  2: string data
}

/** How a volume is mounted. */
enum Mode {
  RW = 1
  RO = 2
}

struct Volume {
  1: string containerPath
  2: string hostPath
  3: Mode mode
}

struct DockerImage {
  1: string name
  2: string tag
}

struct AppcImage {
  1: string name
  2: string imageId
}

union Image {
  1: DockerImage docker
  2: AppcImage appc
}

/** No container of its own, unless it has an image. */
struct MesosContainer {
  1: optional Image image
  2: optional list<Volume> volumes
}

/** One argument for the docker command line; their order counts. */
struct DockerParameter {
  1: string name
  2: string value
}

struct DockerContainer {
  1: string image
  2: optional list<DockerParameter> parameters
}

union Container {
  1: MesosContainer mesos
  2: DockerContainer docker
}

/** A file to put into the sandbox before the task starts. */
struct MesosFetcherURI {
  1: string value
  2: optional bool extract
  3: optional bool cache
  4: optional string outputFile
}

/** What to do about a task on a host that fell silent: start another one, and after how long. */
struct PartitionPolicy {
  1: bool reschedule
  2: optional i64 delaySecs
}

/** So many percent of the instances must have been up for this long. */
struct PercentageSlaPolicy {
  1: double percentage
  2: i64 durationSecs
}

/** So many instances must have been up for this long. */
struct CountSlaPolicy {
  1: i64 count
  2: i64 durationSecs
}

/** Somebody else decides: the URL is asked, and the answer's member of that name says yes or no. */
struct CoordinatorSlaPolicy {
  1: string coordinatorUrl
  2: string statusKey
}

union SlaPolicy {
  1: PercentageSlaPolicy percentageSlaPolicy
  2: CountSlaPolicy countSlaPolicy
  3: CoordinatorSlaPolicy coordinatorSlaPolicy
}

/** Everything about a task that does not differ between the instances of a job. */
struct TaskConfig {
  28: JobKey job
  17: Identity owner
  /** A service is restarted whenever it ends; anything else only after a failure. */
  7: bool isService
  /** A higher one may push a lower one of the same role off its host. */
  11: i32 priority
  /** Runs that may fail before the instance is given up; -1 is no limit. A service is never given up. */
  13: i32 maxTaskFailures
  /** Whether the task counts against its role's quota. The tier, when set, must agree. */
  18: optional bool production
  30: optional string tier
  32: set<Resource> resources
  20: set<Constraint> constraints
  33: optional set<MesosFetcherURI> mesosFetcherUris
  /** Links to show beside the task: label to URL template. */
  22: optional map<string, string> taskLinks
  23: optional string contactEmail
  25: optional ExecutorConfig executorConfig
  27: optional set<Metadata> metadata
  34: optional PartitionPolicy partitionPolicy
  35: optional SlaPolicy slaPolicy
  /** Absent in a request means an empty Mesos container. */
  29: Container container = { "mesos": {} }
}

/* ---- Jobs ---------------------------------------------------------------------------------------- */

/** What to do when a cron job is due and its last run still is not over. */
enum CronCollisionPolicy {
  KILL_EXISTING = 0
  CANCEL_NEW = 1
  /** Refused; jobs stored by old releases may still have it. */
  RUN_OVERLAP = 2
}

struct JobConfiguration {
  9: JobKey key
  7: Identity owner
  /** Present, even empty, makes it a cron job. */
  4: optional string cronSchedule
  5: CronCollisionPolicy cronCollisionPolicy
  6: TaskConfig taskConfig
  8: i32 instanceCount
}

struct JobStats {
  1: i32 activeTaskCount
  2: i32 finishedTaskCount
  3: i32 failedTaskCount
  4: i32 pendingTaskCount
}

struct JobSummary {
  1: JobConfiguration job
  2: JobStats stats
  /** Cron jobs only. */
  3: optional i64 nextCronRunMs
}

struct RoleSummary {
  1: string role
  2: i32 jobCount
  3: i32 cronJobCount
}

/** Instances that share a configuration. Id 2 listed the instances one by one up to release 0.11. */
struct ConfigGroup {
  1: TaskConfig config
  3: set<Range> instances
}

struct ConfigSummary {
  1: JobKey key
  2: set<ConfigGroup> groups
}

/* ---- Tasks --------------------------------------------------------------------------------------- */

/** Where a task is in its life. Number 10 meant something else once, and gaps stay gaps. */
enum ScheduleStatus {
  /** Not yet stored; no reader ever sees it. */
  INIT = 11
  /** Failed too quickly too often: waits before it becomes pending. */
  THROTTLED = 16
  PENDING = 0
  ASSIGNED = 9
  STARTING = 1
  RUNNING = 2
  FINISHED = 3
  /** Told to make room for a more important task. */
  PREEMPTING = 13
  RESTARTING = 12
  /** Told to leave its host for maintenance. */
  DRAINING = 17
  FAILED = 4
  KILLED = 5
  KILLING = 6
  /** Its host fell silent; it may come back. */
  PARTITIONED = 18
  LOST = 7
}

/** Counts for its instance. */
const set<ScheduleStatus> ACTIVE_STATES = [
  ScheduleStatus.THROTTLED,
  ScheduleStatus.PENDING,
  ScheduleStatus.ASSIGNED,
  ScheduleStatus.STARTING,
  ScheduleStatus.RUNNING,
  ScheduleStatus.PREEMPTING,
  ScheduleStatus.RESTARTING,
  ScheduleStatus.DRAINING,
  ScheduleStatus.KILLING,
  ScheduleStatus.PARTITIONED
]

/** Has a host. */
const set<ScheduleStatus> SLAVE_ASSIGNED_STATES = [
  ScheduleStatus.ASSIGNED,
  ScheduleStatus.STARTING,
  ScheduleStatus.RUNNING,
  ScheduleStatus.PREEMPTING,
  ScheduleStatus.RESTARTING,
  ScheduleStatus.DRAINING,
  ScheduleStatus.KILLING,
  ScheduleStatus.PARTITIONED
]

/** Was started and has not ended. */
const set<ScheduleStatus> LIVE_STATES = [
  ScheduleStatus.RUNNING,
  ScheduleStatus.PREEMPTING,
  ScheduleStatus.RESTARTING,
  ScheduleStatus.DRAINING,
  ScheduleStatus.KILLING,
  ScheduleStatus.PARTITIONED
]

/** Over for good. */
const set<ScheduleStatus> TERMINAL_STATES = [
  ScheduleStatus.FINISHED,
  ScheduleStatus.FAILED,
  ScheduleStatus.KILLED,
  ScheduleStatus.LOST
]

/** One step in a task's life. */
struct TaskEvent {
  /** Milliseconds since the epoch. */
  1: i64 timestamp
  2: ScheduleStatus status
  3: optional string message
  /** Host name of the scheduler that recorded it. */
  4: optional string scheduler
}

struct AssignedTask {
  1: string taskId
  /** Both absent until the task has a host. */
  2: string slaveId
  3: string slaveHost
  4: TaskConfig task
  5: map<string, i32> assignedPorts
  6: i32 instanceId
}

struct ScheduledTask {
  1: AssignedTask assignedTask
  2: ScheduleStatus status
  /** Failed runs in this chain of generations. */
  3: i32 failureCount
  4: list<TaskEvent> taskEvents
  /** The task this one was started to replace. */
  5: string ancestorId
  6: i32 timesPartitioned
}

/** Everything that is set must match; an empty collection counts as not set. */
struct TaskQuery {
  14: optional string role
  9: optional string environment
  2: optional string jobName
  4: optional set<string> taskIds
  5: optional set<ScheduleStatus> statuses
  7: optional set<i32> instanceIds
  10: optional set<string> slaveHosts
  11: optional set<JobKey> jobKeys
  12: optional i32 offset
  13: optional i32 limit
}

struct PendingReason {
  1: string taskId
  2: string reason
}

/* ---- Hosts --------------------------------------------------------------------------------------- */

enum MaintenanceMode {
  NONE = 1
  SCHEDULED = 2
  DRAINING = 3
  DRAINED = 4
}

struct Attribute {
  1: string name
  2: set<string> values
}

struct HostAttributes {
  1: string host
  2: set<Attribute> attributes
  3: optional MaintenanceMode mode
  4: optional string slaveId
}

struct HostStatus {
  1: string host
  2: MaintenanceMode mode
}

struct Hosts {
  1: set<string> hostNames
}

/** A drain that is under way: tasks without a policy of their own get this one, until the time is up. */
struct HostMaintenanceRequest {
  1: string host
  2: SlaPolicy defaultSlaPolicy
  3: i64 timeoutSecs
  4: i64 createdTimestampMs
}

struct TierConfig {
  1: string name
  /** `preemptible` and `revocable`, each with the text true or false. */
  2: map<string, string> settings
}

/* ---- Job updates --------------------------------------------------------------------------------- */

enum JobUpdateStatus {
  ROLLING_FORWARD = 0
  ROLLING_BACK = 1
  ROLL_FORWARD_PAUSED = 2
  ROLL_BACK_PAUSED = 3
  ROLLED_FORWARD = 4
  ROLLED_BACK = 5
  ABORTED = 6
  /** The scheduler itself failed. */
  ERROR = 7
  /** Could not be rolled back, or was not to be. */
  FAILED = 8
  /** Rolling, but for want of a heartbeat. */
  ROLL_FORWARD_AWAITING_PULSE = 9
  ROLL_BACK_AWAITING_PULSE = 10
}

/** Not over. */
const set<JobUpdateStatus> ACTIVE_JOB_UPDATE_STATES = [
  JobUpdateStatus.ROLLING_FORWARD,
  JobUpdateStatus.ROLLING_BACK,
  JobUpdateStatus.ROLL_FORWARD_PAUSED,
  JobUpdateStatus.ROLL_BACK_PAUSED,
  JobUpdateStatus.ROLL_FORWARD_AWAITING_PULSE,
  JobUpdateStatus.ROLL_BACK_AWAITING_PULSE
]

/** A heartbeat would set it going. The spelling is part of the contract. */
const set<JobUpdateStatus> AWAITNG_PULSE_JOB_UPDATE_STATES = [
  JobUpdateStatus.ROLL_FORWARD_AWAITING_PULSE,
  JobUpdateStatus.ROLL_BACK_AWAITING_PULSE
]

/** What happened to one instance. */
enum JobUpdateAction {
  INSTANCE_UPDATED = 1
  INSTANCE_ROLLED_BACK = 2
  INSTANCE_UPDATING = 3
  INSTANCE_ROLLING_BACK = 4
  INSTANCE_UPDATE_FAILED = 5
  INSTANCE_ROLLBACK_FAILED = 6
}

/** What a heartbeat learns: the update wants more of them, or is over. */
enum JobUpdatePulseStatus {
  OK = 1
  FINISHED = 2
}

struct JobUpdateKey {
  1: JobKey job
  2: string id
}

/** Keep so many instances in flight; start another as soon as one is done. */
struct QueueJobUpdateStrategy {
  1: i32 groupSize
}

/** Finish a group before the next one starts, pausing in between if asked to. */
struct BatchJobUpdateStrategy {
  1: i32 groupSize
  2: bool autopauseAfterBatch
}

/** Groups of these sizes, one after the other; the last one repeats. */
struct VariableBatchJobUpdateStrategy {
  1: list<i32> groupSizes
  2: bool autopauseAfterBatch
}

union JobUpdateStrategy {
  1: QueueJobUpdateStrategy queueStrategy
  2: BatchJobUpdateStrategy batchStrategy
  3: VariableBatchJobUpdateStrategy varBatchStrategy
}

struct JobUpdateSettings {
  /** Fields 1 and 8 say what updateStrategy says better; they count only where it is absent. */
  1: i32 updateGroupSize
  2: i32 maxPerInstanceFailures
  3: i32 maxFailedInstances
  /** An instance must have run for so long before it counts as done. */
  5: i32 minWaitInInstanceRunningMs
  6: bool rollbackOnFailure
  /** Empty means all. */
  7: set<Range> updateOnlyTheseInstances
  8: bool waitForBatchCompletion
  /** More than 0: stand still when no heartbeat came for so long. */
  9: optional i32 blockIfNoPulsesAfterMs
  /** Ask the task's SLA policy before each kill. */
  10: optional bool slaAware
  11: optional JobUpdateStrategy updateStrategy
}

struct JobUpdateRequest {
  1: TaskConfig taskConfig
  /** How many instances the job will have. */
  2: i32 instanceCount
  3: JobUpdateSettings settings
  4: optional set<Metadata> metadata
}

struct JobUpdateEvent {
  1: JobUpdateStatus status
  2: i64 timestampMs
  /** Absent on what the scheduler did of its own accord. */
  3: optional string user
  4: optional string message
}

struct JobInstanceUpdateEvent {
  1: i32 instanceId
  2: i64 timestampMs
  3: JobUpdateAction action
  4: optional string message
}

/** Instances and what they run. */
struct InstanceTaskConfig {
  1: TaskConfig task
  2: set<Range> instances
}

struct JobUpdateState {
  1: JobUpdateStatus status
  2: i64 createdTimestampMs
  3: i64 lastModifiedTimestampMs
}

/** Ids 1 and 2 named the update and its job up to release 0.8. */
struct JobUpdateSummary {
  5: JobUpdateKey key
  3: string user
  4: JobUpdateState state
  6: optional set<Metadata> metadata
}

struct JobUpdateInstructions {
  /** What ran before, so that it can be put back. */
  1: set<InstanceTaskConfig> initialState
  /** Absent when the update only removes instances. */
  2: InstanceTaskConfig desiredState
  3: JobUpdateSettings settings
}

struct JobUpdate {
  1: JobUpdateSummary summary
  2: JobUpdateInstructions instructions
}

struct JobUpdateDetails {
  1: JobUpdate update
  2: list<JobUpdateEvent> updateEvents
  3: list<JobInstanceUpdateEvent> instanceEvents
}

/** Requiredness is as in the schedulers; gorealis has 2, 3, 4, 5 and 8 as optional, the same on the wire. */
struct JobUpdateQuery {
  8: JobUpdateKey key
  2: string role
  3: JobKey jobKey
  4: string user
  5: set<JobUpdateStatus> updateStatuses
  6: i32 offset
  7: i32 limit
}

/* ---- Answers ------------------------------------------------------------------------------------- */

enum ResponseCode {
  INVALID_REQUEST = 0
  OK = 1
  ERROR = 2
  /** Never sent: clients take it for a failure. */
  WARNING = 3
  AUTH_FAILED = 4
  JOB_UPDATING_ERROR = 5
  /** Nothing was changed; the same request may succeed if sent again. */
  ERROR_TRANSIENT = 6
}

struct ExplicitReconciliationSettings {
  1: optional i32 batchSize
}

struct PopulateJobResult {
  2: TaskConfig taskConfig
}

struct ScheduleStatusResult {
  1: list<ScheduledTask> tasks
}

struct GetJobsResult {
  1: set<JobConfiguration> configs
}

/** What the role may use, and what it does use, sorted by what counts against the quota. */
struct GetQuotaResult {
  1: ResourceAggregate quota
  2: optional ResourceAggregate prodSharedConsumption
  3: optional ResourceAggregate nonProdSharedConsumption
  4: optional ResourceAggregate prodDedicatedConsumption
  5: optional ResourceAggregate nonProdDedicatedConsumption
}

struct ListBackupsResult {
  1: set<string> backups
}

struct StartMaintenanceResult {
  1: set<HostStatus> statuses
}

struct DrainHostsResult {
  1: set<HostStatus> statuses
}

struct QueryRecoveryResult {
  1: set<ScheduledTask> tasks
}

struct MaintenanceStatusResult {
  1: set<HostStatus> statuses
}

struct EndMaintenanceResult {
  1: set<HostStatus> statuses
}

struct RoleSummaryResult {
  1: set<RoleSummary> summaries
}

struct JobSummaryResult {
  1: set<JobSummary> summaries
}

struct ConfigSummaryResult {
  1: ConfigSummary summary
}

struct GetPendingReasonResult {
  1: set<PendingReason> reasons
}

struct StartJobUpdateResult {
  1: JobUpdateKey key
  2: optional JobUpdateSummary updateSummary
}

struct GetJobUpdateSummariesResult {
  1: list<JobUpdateSummary> updateSummaries
}

/** One of the two, depending on which argument asked. */
struct GetJobUpdateDetailsResult {
  1: JobUpdateDetails details
  2: list<JobUpdateDetails> detailsList
}

struct PulseJobUpdateResult {
  1: JobUpdatePulseStatus status
}

/** What an update would do, if it were started now. */
struct GetJobUpdateDiffResult {
  1: set<ConfigGroup> add
  2: set<ConfigGroup> remove
  3: set<ConfigGroup> update
  4: set<ConfigGroup> unchanged
}

struct GetTierConfigResult {
  1: string defaultTierName
  2: set<TierConfig> tiers
}

struct ServerInfo {
  1: string clusterName
  3: string statsUrlPrefix
}

union Result {
  1: PopulateJobResult populateJobResult
  3: ScheduleStatusResult scheduleStatusResult
  4: GetJobsResult getJobsResult
  5: GetQuotaResult getQuotaResult
  6: ListBackupsResult listBackupsResult
  7: StartMaintenanceResult startMaintenanceResult
  8: DrainHostsResult drainHostsResult
  9: QueryRecoveryResult queryRecoveryResult
  10: MaintenanceStatusResult maintenanceStatusResult
  11: EndMaintenanceResult endMaintenanceResult
  17: RoleSummaryResult roleSummaryResult
  18: JobSummaryResult jobSummaryResult
  20: ConfigSummaryResult configSummaryResult
  21: GetPendingReasonResult getPendingReasonResult
  22: StartJobUpdateResult startJobUpdateResult
  23: GetJobUpdateSummariesResult getJobUpdateSummariesResult
  24: GetJobUpdateDetailsResult getJobUpdateDetailsResult
  25: PulseJobUpdateResult pulseJobUpdateResult
  26: GetJobUpdateDiffResult getJobUpdateDiffResult
  27: GetTierConfigResult getTierConfigResult
}

/** A message for people. */
struct ResponseDetail {
  1: string message
}

/** Every method's answer. */
struct Response {
  1: ResponseCode responseCode
  5: ServerInfo serverInfo
  3: optional Result result
  6: list<ResponseDetail> details
}

/* ---- Methods ------------------------------------------------------------------------------------- */

/** Reads. Nobody needs to log in for these. */
service ReadOnlyScheduler {
  /** Every role with jobs, and how many. */
  Response getRoleSummary()

  /** Jobs of one role, or of all when it is absent. */
  Response getJobSummary(1: string role)

  Response getTasksStatus(1: TaskQuery query)

  /** The same without executorConfig.data, which is most of an answer's size. */
  Response getTasksWithoutConfigs(1: TaskQuery query)

  /** Why pending tasks are pending. */
  Response getPendingReason(1: TaskQuery query)

  /** What the active instances of a job run. */
  Response getConfigSummary(1: JobKey job)

  Response getJobs(1: string ownerRole)

  Response getQuota(1: string ownerRole)

  /** The job's configuration as it would be stored. */
  Response populateJobConfig(1: JobConfiguration description)

  Response getJobUpdateSummaries(1: JobUpdateQuery jobUpdateQuery)

  /** By key, or by query; the query wins. */
  Response getJobUpdateDetails(1: JobUpdateKey key, 2: JobUpdateQuery query)

  Response getJobUpdateDiff(1: JobUpdateRequest request)

  Response getTierConfigs()
}

/** What users of the cluster do to their own jobs. */
service AuroraSchedulerManager extends ReadOnlyScheduler {
  Response createJob(1: JobConfiguration description)

  Response scheduleCronJob(1: JobConfiguration description)

  /** Later runs do not happen; a run that is under way goes on. */
  Response descheduleCronJob(4: JobKey job)

  /** Runs a cron job now. */
  Response startCronJob(4: JobKey job)

  Response restartShards(5: JobKey job, 3: set<i32> shardIds)

  /** No instances, or none given, means all. */
  Response killTasks(4: JobKey job, 5: set<i32> instances, 6: string message)

  /** More instances of the configuration that the given one runs. */
  Response addInstances(3: InstanceKey key, 4: i32 count)

  Response replaceCronTemplate(1: JobConfiguration config)

  Response startJobUpdate(1: JobUpdateRequest request, 3: string message)

  Response pauseJobUpdate(1: JobUpdateKey key, 3: string message)

  Response resumeJobUpdate(1: JobUpdateKey key, 3: string message)

  Response abortJobUpdate(1: JobUpdateKey key, 3: string message)

  Response rollbackJobUpdate(1: JobUpdateKey key, 2: string message)

  /** The heartbeat of a coordinated update. */
  Response pulseJobUpdate(1: JobUpdateKey key)
}

/** What operators of the cluster do. */
service AuroraAdmin extends AuroraSchedulerManager {
  Response setQuota(1: string ownerRole, 2: ResourceAggregate quota)

  /** Moves a task by hand, against every rule. */
  Response forceTaskState(1: string taskId, 2: ScheduleStatus status)

  Response performBackup()

  Response listBackups()

  /** Loads a backup beside the live state, where the four methods after this one work on it. */
  Response stageRecovery(1: string backupId)

  Response queryRecovery(1: TaskQuery query)

  Response deleteRecoveryTasks(1: TaskQuery query)

  /** Makes the staged state the live one. */
  Response commitRecovery()

  Response unloadRecovery()

  /** New tasks avoid these hosts where they can. */
  Response startMaintenance(1: Hosts hosts)

  Response drainHosts(1: Hosts hosts)

  Response maintenanceStatus(1: Hosts hosts)

  Response endMaintenance(1: Hosts hosts)

  /** A drain that respects SLA policies until the time is up. */
  Response slaDrainHosts(1: Hosts hosts, 2: SlaPolicy defaultSlaPolicy, 3: i64 timeoutSecs)

  Response snapshot()

  Response triggerExplicitTaskReconciliation(1: ExplicitReconciliationSettings settings)

  Response triggerImplicitTaskReconciliation()

  /** Forgets finished tasks. */
  Response pruneTasks(1: TaskQuery query)
}
