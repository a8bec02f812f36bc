/** A document ready to run: every reference bound, every default filled in (thermos.md §1.2, §1.3). */

export interface LoggerPlan {
  readonly destination: 'file' | 'console' | 'both' | 'none';
  readonly mode: 'standard' | 'rotate';
  /** Bytes at which a file is shifted away, and how many shifted ones are kept. */
  readonly rotate: { readonly logSize: number; readonly backups: number };
}

export interface ProcessPlan {
  readonly name: string;
  readonly cmdline: string;
  /** 0: no limit but that on all runs. */
  readonly maxFailures: number;
  readonly daemon: boolean;
  readonly ephemeral: boolean;
  /** Runs in the task's finalizing stage. */
  readonly final: boolean;
  /** Seconds from the end of a run to the start of the next. */
  readonly minDurationSecs: number;
  /** Absent: whatever the executor was configured with. */
  readonly logger?: LoggerPlan;
}

/** What the planner needs of a task (thermos.md §2.2, §2.3). */
export interface Schedule {
  readonly processes: readonly ProcessPlan[];
  /** Pairs [before, after] of process names. */
  readonly order: readonly (readonly [string, string])[];
  /** Failed processes at which the task fails; 0 or less: never. */
  readonly maxFailures: number;
  /** Processes that run at once, for regular and final ones each; 0 or less: no limit. */
  readonly maxConcurrency: number;
  readonly finalizationWaitSecs: number;
}

/** Present only when the lifecycle's port exists (thermos.md §3.2). */
export interface LifecyclePlan {
  readonly port: number;
  readonly gracefulEndpoint: string;
  readonly gracefulWaitSecs: number;
  readonly shutdownEndpoint: string;
  readonly shutdownWaitSecs: number;
}

export interface TaskPlan extends Schedule {
  readonly name: string;
  /** Assigned ports and aliases, all as numbers. */
  readonly ports: Readonly<Record<string, number>>;
  readonly lifecycle?: LifecyclePlan;
  /** Which check section 3.1 selects. */
  readonly healthCheck: 'none' | 'http' | 'shell';
  /** The document asks for an announcement (section 3.3). */
  readonly announce: boolean;
}
