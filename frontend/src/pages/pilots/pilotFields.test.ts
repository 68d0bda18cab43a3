import { describe, expect, it } from 'vitest';
import { freshDraft } from './pilotDraft';
import { fieldsOf, placed } from './pilotFields';

const finding = (field: string | null, code = 'wrong', params = {}) => ({
  field,
  code,
  params,
  sentence: `${field}`,
});
const at = (field: string | null, code?: string, params?: object, draft = freshDraft()) =>
  placed([finding(field, code, params)], draft)[0]?.field?.path;

describe('a problem that the server names', () => {
  it('belongs to the input of its place', () => {
    for (const { path } of fieldsOf(freshDraft())) expect(at(path)).toBe(path);
  });
  it('belongs to the strength of a condition, or to the column that sites are divided by', () => {
    const draft = { ...freshDraft(), partition: 'column' as const, shift: 'conditions' as const };
    for (const path of ['spec.data.shift.rotation', 'spec.data.partition.column'])
      expect(at(path, 'wrong', {}, draft)).toBe(path);
  });
  it('belongs to the closest input above its place', () => {
    expect(at('spec.seeds.1')).toBe('spec.seeds');
    expect(at('spec.data.partition.alpha')).toBe('spec.data.partition.alpha');
    expect(at('spec.model.hidden.0')).toBe('spec.model.hidden');
    expect(at('spec.sites.3.data')).toBe('spec.sites');
  });
  it('belongs to the first input of a place that no input stands for alone', () => {
    expect(at('assumptions.value_per_correct_decision')).toBe('assumptions.value_per_correct_decision.low');
  });
  it('belongs to the arm that took a name a second time', () => {
    const draft = freshDraft();
    const arms = draft.arms.map((arm) => (arm.name === 'dimat' ? { ...arm, name: 'plain_average' } : arm));
    expect(at('spec.arms', 'duplicate_name', { name: 'plain_average' }, { ...draft, arms })).toBe(
      'spec.arms.2.name',
    );
  });
  it('of a random graph belongs to the number that it is about', () => {
    expect(at('spec.topology', 'regular_degree_odd')).toBe('spec.topology.degree');
    expect(at('spec.topology', 'topology_disconnected')).toBe('spec.topology');
  });
  it('is listed in the order of the form, once for each input, even where the form has no input for it', () => {
    const list = placed(
      ['spec.merge.probe', 'spec.seeds.1', 'spec.rounds', 'spec.seeds.0', null].map((field) =>
        finding(field),
      ),
      freshDraft(),
    );
    expect(list.map((one) => one.field?.path)).toEqual(['spec.rounds', 'spec.seeds', undefined, undefined]);
  });
});
