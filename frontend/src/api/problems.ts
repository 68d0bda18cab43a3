/* What went wrong, in the reader's language and at the field it belongs to. */
import i18next from 'i18next';
import type { Problem } from './client';

export interface Said {
  title: string;
  remedy: string | null;
  code: string;
}
type Params = Record<string, unknown>;

/** A problem as a sentence and what to do; anything that is no problem+json (no answer at all) too. */
export function sayProblem(error: unknown): Said {
  if (!isProblem(error)) {
    return {
      title: i18next.t('ui.error.unreachable'),
      remedy: i18next.t('ui.error.unreachable_remedy'),
      code: 'unreachable',
    };
  }
  return sayCode(error.code, error.params, error.title, error.remedy);
}

export function isProblem(error: unknown): error is Problem {
  return typeof error === 'object' && error !== null && 'code' in error && 'status' in error;
}

/** Field (dotted) -> sentence, of every bad value that the server named. */
export function fieldErrors(error: unknown): Map<string, string> {
  const found = new Map<string, string>();
  if (!isProblem(error)) return found;
  const all = error.errors.length > 0 ? error.errors : [error];
  for (const one of all) {
    if (one.field === null || found.has(one.field)) continue;
    const said = sayCode(one.code, one.params, one.title, one.remedy);
    found.set(one.field, [said.title, said.remedy].filter(Boolean).join(' '));
  }
  return found;
}

/** The first sentence whose field is `field` or lies below or above it; for fields shown as one input. */
export function errorAt(errors: Map<string, string>, ...fields: string[]): string | undefined {
  for (const field of fields) {
    for (const [name, sentence] of errors) {
      if (name === field || name.startsWith(`${field}.`)) return sentence;
    }
  }
  return undefined;
}

function sayCode(code: string, params: Params, title: string, remedy: string | null): Said {
  const known = `errors.${code}.title`;
  if (!i18next.exists(known)) return { title, remedy, code };
  const help = `errors.${code}.remedy`;
  return {
    title: i18next.t(known, params),
    remedy: i18next.exists(help) ? i18next.t(help, params) : remedy,
    code,
  };
}
