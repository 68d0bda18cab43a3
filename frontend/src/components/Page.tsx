/* The frame of a page: one h1, its actions beside it, the title of the window. */
import { useEffect, type ReactNode } from 'react';
import { useFormats } from '../i18n/useFormats';
import { useNarrow } from '../layout/useNarrow';

interface Props {
  title: string;
  lead?: ReactNode;
  above?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, lead, above, actions, children }: Props) {
  useEffect(() => {
    document.title = `${title} · Awase`;
  }, [title]);
  return (
    <div className="aw-page">
      <div className="aw-page-head">
        <div className="aw-page-title">
          {above}
          <h1>{title}</h1>
          {lead ? <div className="aw-lead">{lead}</div> : null}
        </div>
        {actions ? <div className="aw-actions">{actions}</div> : null}
      </div>
      {children}
    </div>
  );
}

export function Panel({
  id,
  title,
  aside,
  children,
}: {
  /** Where a link within the page leads. */
  id?: string;
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="aw-panel" id={id}>
      {title !== undefined ? (
        <div className="aw-panel-head">
          <h2>{title}</h2>
          {aside ? <div className="aw-actions">{aside}</div> : null}
        </div>
      ) : null}
      {children}
    </section>
  );
}

/** A panel that stays closed until somebody wants it: what is finished, or of use to few. `count`: how many there
    are of what it holds; from `upTo` on there may be more. */
export function FoldedPanel({
  title,
  count,
  upTo = Infinity,
  open = false,
  children,
}: {
  title: ReactNode;
  count?: number | undefined;
  upTo?: number | undefined;
  open?: boolean;
  children: ReactNode;
}) {
  const formats = useFormats();
  return (
    <details className="aw-panel aw-fold" open={open}>
      <summary>
        <h2>
          {title}
          {count === undefined ? null : formats.inBrackets(formats.number(count) + (count < upTo ? '' : '+'))}
        </h2>
      </summary>
      {children}
    </details>
  );
}

/** Open where there is room; folded on a phone, where it would push everything below it out of sight. `live`: what
    is watched now stays open there, too. */
export function RoomyPanel({
  title,
  aside,
  count,
  upTo,
  live = false,
  children,
}: {
  title: ReactNode;
  aside?: ReactNode;
  count?: number | undefined;
  upTo?: number;
  live?: boolean;
  children: ReactNode;
}) {
  const narrow = useNarrow();
  if (live || !narrow)
    return (
      <Panel title={title} aside={aside}>
        {children}
      </Panel>
    );
  return (
    <FoldedPanel title={title} count={count} upTo={upTo}>
      {aside ? <div className="aw-actions aw-fold-aside">{aside}</div> : null}
      {children}
    </FoldedPanel>
  );
}

export function Kpis({ items }: { items: readonly { label: string; value: ReactNode; note?: ReactNode }[] }) {
  return (
    <dl className="aw-kpis">
      {items.map((item) => (
        <div className="aw-kpi" key={item.label}>
          <dt>{item.label}</dt>
          <dd>
            <span className="aw-kpi-value">{item.value}</span>
            {item.note ? <span className="aw-kpi-note">{item.note}</span> : null}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Names and their values, one below the other. */
export function Pairs({ facts }: { facts: readonly (readonly [string, string])[] }) {
  return (
    <dl className="aw-pairs">
      {facts.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
