/** Why an executor document cannot be run: thermos.md §5, errors F0 to F9. */
export type ProblemCode = 'F0' | 'F1' | 'F2' | 'F3' | 'F4' | 'F5' | 'F6' | 'F7' | 'F8' | 'F9';

/** `path` is a JSON path into executorConfig.data (`$.task…`) or the name of a TaskConfig field. */
export class DocumentProblem extends Error {
  override readonly name = 'DocumentProblem';

  constructor(
    readonly code: ProblemCode,
    readonly path: string,
    readonly rule: string,
  ) {
    super(`${path}: ${rule} (${code})`);
  }
}

/** Throws the defect F0 at this path. */
export function defect(path: string, rule: string): never {
  throw new DocumentProblem('F0', path, rule);
}
