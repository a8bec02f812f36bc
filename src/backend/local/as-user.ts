/**
 * File work inside a sandbox that belongs to somebody else. A root supervisor does it with the rights of that
 * somebody: a link the task planted in its own directory then leads nowhere the task could not go itself.
 */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Runs `work`, which must not wait, with the file rights of `owner`; as it is when there is none. */
export function asOwner<T>(owner: Owner | undefined, work: () => T): T {
  const { setgroups, setegid, seteuid } = process;
  if (owner === undefined || !setgroups || !setegid || !seteuid) return work();
  const groups = process.getgroups?.() ?? [];
  const gid = process.getegid?.() ?? 0;
  const uid = process.geteuid?.() ?? 0;
  setgroups([owner.gid]);
  setegid(owner.gid);
  seteuid(owner.uid);
  try {
    return work();
  } finally {
    seteuid(uid);
    setegid(gid);
    setgroups(groups);
  }
}
