import { describe, expect, it } from 'vitest';
import { assumptionsOf, draftOf, freshDraft, MODELS, takesRows, specOf, wholeNumbers } from './pilotDraft';

const SITE = {
  id: '1', name: 'site-01', display_name: 'Osaka', placement: 'local' as const,
  data: { kind: 'sample' as const, dataset: 'pendigits' }, state: 'online' as const, last_seen_at: null, device: null,
  doing: null, num_rows: null, window: null, window_opens_at: null, limits: {},
  fingerprint: null, created_at: '2026-01-01T00:00:00Z', revision: 1,
}; // prettier-ignore

describe('the form of a pilot', () => {
  it('sends the sites with their own data', () => {
    const spec = specOf({ ...freshDraft(), sites: ['site-01'] }, [SITE], { kind: 'ring' });
    expect(spec.sites).toEqual([{ name: 'site-01', display_name: 'Osaka', data: SITE.data }]);
  });
  it('says which of its sites wait, keeps them, and none that was taken out', () => {
    const draft = { ...freshDraft(), sites: ['site-01'], waiting: ['site-01', 'site-02'] };
    const spec = specOf(draft, [SITE], { kind: 'ring' });
    expect(spec.waiting).toEqual(['site-01']);
    const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    expect(again.waiting).toEqual(['site-01']);
    expect(specOf({ ...again, waiting: [] }, [SITE], { kind: 'ring' }, spec).waiting).toEqual([]);
  });
  it('has a control arm by default, without a merge', () => {
    const [control] = specOf(freshDraft(), [], { kind: 'ring' }).arms;
    expect(control).toMatchObject({ method: 'local_only', merge: null });
  });
  it('keeps settings of a stored draft that it does not show', () => {
    const base = { ...specOf(freshDraft(), [], { kind: 'ring' }), train: { momentum: 0.5 } };
    expect(specOf({ ...freshDraft(), epochs: 3 }, [], { kind: 'ring' }, base).train).toMatchObject({
      momentum: 0.5,
      epochs: 3,
    });
  });
  it('keeps what an arm sets when the arm is called another name', () => {
    const arm = {
      name: 'merged',
      method: 'regmean' as const,
      train: { lr: 0.5 },
      merge: { final_merge: true },
    };
    const spec = { ...specOf(freshDraft(), [], { kind: 'ring' }), arms: [arm] };
    const draft = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    const renamed = { ...draft, arms: draft.arms.map((one) => ({ ...one, name: 'other' })) };
    expect(specOf(renamed, [], { kind: 'ring' }, spec).arms[0]).toMatchObject({
      name: 'other',
      train: { lr: 0.5 },
      merge: { final_merge: true },
    });
  });
  it('sends how models are packed, differences never uncompressed, and gives it back', () => {
    for (const [packing, wire] of [
      ['plain', { compress: false, deltas: false }],
      ['compressed', { compress: true, deltas: false }],
      ['deltas', { compress: true, deltas: true }],
    ] as const) {
      const spec = specOf({ ...freshDraft(), packing, numbers: 'int8' }, [], { kind: 'ring' });
      expect(spec.merge?.wire).toEqual({ numbers: 'int8', ...wire });
      const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
      expect([again.packing, again.numbers]).toEqual([packing, 'int8']);
    }
    // The server says nothing of differences where there are none.
    const base = specOf(freshDraft(), [], { kind: 'ring' });
    const stored = { ...base, merge: { wire: { numbers: 'float32' as const, compress: true } } };
    const draft = draftOf({ spec: stored, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    expect(draft.packing).toBe('compressed');
  });
  it('sends with what an arm ends, and gives it back', () => {
    for (const [ending, merge] of [
      ['head', { ridge_head: true, final_merge: false }],
      ['merge', { ridge_head: false, final_merge: true }],
      ['training', { ridge_head: false, final_merge: false }],
    ] as const) {
      const draft = freshDraft();
      const arms = draft.arms.map((arm) => ({ ...arm, ending }));
      const spec = specOf({ ...draft, arms }, [], { kind: 'ring' });
      expect(spec.arms[4]?.merge).toMatchObject(merge);
      expect(spec.arms[0]?.merge).toBeNull();
      const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
      expect(again.arms[4]?.ending).toBe(ending);
    }
  });
  it('takes the ending of the pilot where an arm says nothing of its own', () => {
    const base = specOf(freshDraft(), [], { kind: 'ring' });
    const spec = {
      ...base,
      merge: { ridge_head: true },
      arms: [{ name: 'basis', method: 'common_basis' as const }],
    };
    const draft = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    expect(draft.arms[0]?.ending).toBe('head');
  });
  it('sends how to train, and gives it back', () => {
    const given = { ...freshDraft(), loss: 'balanced_softmax' as const, keepMomentum: true };
    const spec = specOf(given, [], { kind: 'ring' });
    expect(spec.train).toMatchObject({ loss: 'balanced_softmax', keep_momentum: true });
    const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    expect([again.loss, again.keepMomentum]).toEqual(['balanced_softmax', true]);
  });
  it('sends what becomes of a run that waits for a silent site, and no limit as none', () => {
    const spec = specOf({ ...freshDraft(), silent: 'skip', silentMinutes: 30 }, [], { kind: 'ring' });
    expect(spec.silent).toEqual({ policy: 'skip', limit_s: 1800 });
    const again = draftOf({ spec: { ...spec, sites: [] }, assumptions: null } as never);
    expect([again.silent, again.silentMinutes]).toEqual(['skip', 30]);
    const short = specOf({ ...freshDraft(), silent: 'skip', silentMinutes: 0.33 }, [], { kind: 'ring' });
    expect(short.silent?.limit_s).toBe(20);
    const ever = specOf({ ...freshDraft(), silentMinutes: 0 }, [], { kind: 'ring' });
    expect(ever.silent).toEqual({ policy: 'wait', limit_s: null });
    expect(specOf(freshDraft(), [], { kind: 'ring' }).silent?.limit_s).toBe(604_800);
  });

  it('sends when to end training and what a row counts, and an empty patience as none', () => {
    const spec = specOf({ ...freshDraft(), patience: 3, classWeights: 'balanced', ownModel: true }, [], {
      kind: 'ring',
    });
    expect(spec.train).toMatchObject({ patience: 3, class_weights: 'balanced', own_model: true });
    const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    expect([again.patience, again.classWeights, again.ownModel]).toEqual([3, 'balanced', true]);
    const emptied = specOf({ ...freshDraft(), patience: Number.NaN }, [], { kind: 'ring' });
    expect(emptied.train?.patience).toBeNull();
  });
  it('offers models for the rows that the sites hold', () => {
    const takers = (shape: number[]) => MODELS.filter((model) => takesRows(model, shape));
    expect(takers([16])).toEqual(['mlp']);
    expect(takers([6, 100])).toEqual(['mlp', 'cnn1d']);
    expect(takers([1, 28, 28])).toEqual(MODELS.filter((model) => model !== 'cnn1d'));
  });
  it('sends how sites differ, and gives it back', () => {
    const given = {
      ...freshDraft(),
      partition: 'column' as const,
      column: 'subject',
      shift: 'conditions' as const,
      strengths: { rotation: 0, contrast: 2, brightness: 0, noise: 0.1 },
    };
    const spec = specOf(given, [], { kind: 'ring' });
    expect(spec.data?.partition).toEqual({ kind: 'column', column: 'subject' });
    expect(spec.data?.shift).toEqual({ kind: 'conditions', ...given.strengths });
    const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
    expect([again.column, again.shift, again.strengths]).toEqual(['subject', 'conditions', given.strengths]);
    expect(specOf(freshDraft(), [], { kind: 'ring' }).data?.shift).toEqual({ kind: 'none' });
  });
  it('sends a model of each kind with what belongs to it, and gives it back', () => {
    const draft = {
      ...freshDraft(),
      width: 8,
      widthFactor: 0.5,
      hidden: '9, 6',
      patch: 7,
      dim: 12,
      depth: 2,
      heads: 3,
    };
    const expected = {
      mlp: { hidden: [9, 6] },
      cnn: { width: 8 },
      cnn1d: { width: 8 },
      resnet20: { width: 0.5 },
      resnet50: { width: 0.5 },
      vgg16_bn: { width: 0.5 },
      vit: { patch: 7, dim: 12, depth: 2, heads: 3 },
    };
    for (const model of MODELS) {
      const spec = specOf({ ...draft, model }, [], { kind: 'ring' });
      expect(spec.model).toEqual({ kind: model, ...expected[model] });
      const again = draftOf({ spec, assumptions: null } as unknown as Parameters<typeof draftOf>[0]);
      expect(specOf(again, [], { kind: 'ring' }).model).toEqual(spec.model);
    }
  });
  it('marks money as an example until somebody says that it is their own', () => {
    const draft = freshDraft();
    expect(assumptionsOf(draft)?.example).toBe(true);
    expect(assumptionsOf({ ...draft, money: { ...draft.money, likely: '4' } })?.example).toBe(true);
    expect(assumptionsOf({ ...draft, money: { ...draft.money, ours: true } })?.example).toBe(false);
  });
  it('gives stored assumptions back as they were, whatever their notation and basis', () => {
    const given = {
      ...assumptionsOf(freshDraft()),
      one_off_cost: '1.0E+10',
      cost_per_gb: '0.50',
      value_basis: { blend: '0.3' },
    };
    const stored = { spec: { ...specOf(freshDraft(), [], { kind: 'ring' }) }, assumptions: given };
    const again = assumptionsOf(draftOf(stored as unknown as Parameters<typeof draftOf>[0]));
    expect(again).toMatchObject({
      one_off_cost: '10000000000',
      cost_per_gb: '0.5',
      value_basis: { blend: '0.3' },
    });
  });
  it('reads numbers written with commas of either language', () => {
    expect(wholeNumbers('1, 2、3 4')).toEqual([1, 2, 3, 4]);
  });
});
