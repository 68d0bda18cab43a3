/* Which input of a form a problem belongs to: the server names places in the body, people know labels. Pure. */
import type { Finding } from '../api/problems';

/** `path`: dotted place in the body. `label`: key of the catalogue. `arm`: number of the arm it belongs to. */
export interface Field {
  path: string;
  label: string;
  arm?: number;
}
export interface Placed {
  field: Field | null;
  finding: Finding;
}
export interface Fields {
  /** Spread into the input of this place. */
  at: (path: string) => { id: string; error: string | undefined };
  problems: readonly Placed[];
}

/** Each problem at its input, in the order of the form, one for each input; those of no input last. `blamed`: the
    place to look for, where it is another than the server named. */
export function placedAt(
  found: readonly Finding[],
  fields: readonly Field[],
  blamed: (finding: Finding, path: string) => string = (_, path) => path,
): Placed[] {
  const fieldOf = (finding: Finding) =>
    finding.field === null ? null : closest(blamed(finding, finding.field), fields);
  const all = found.map((finding): Placed => ({ field: fieldOf(finding), finding }));
  const first = all.filter(
    ({ field }, at) => field === null || all.findIndex((other) => other.field === field) === at,
  );
  const place = ({ field }: Placed) => (field ? fields.indexOf(field) : fields.length);
  return first.sort((a, b) => place(a) - place(b));
}

/** What a form needs of its problems. */
export function asFields(problems: readonly Placed[]): Fields {
  return {
    at: (path) => ({
      id: fieldId(path),
      error: problems.find((one) => one.field?.path === path)?.finding.sentence,
    }),
    problems: problems.filter((one) => one.finding.field !== null),
  };
}

export function fieldId(path: string): string {
  return `field-${path.replaceAll('.', '-')}`;
}

function closest(path: string, fields: readonly Field[]): Field | null {
  const above = fields.filter((field) => path === field.path || path.startsWith(`${field.path}.`));
  const nearest = above.sort((a, b) => b.path.length - a.path.length)[0];
  // A place that no input stands for alone (low, likely and high together): the first of what lies in it.
  return nearest ?? fields.find((field) => field.path.startsWith(`${path}.`)) ?? null;
}
