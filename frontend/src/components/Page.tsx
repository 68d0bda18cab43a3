/* The frame of a page: one h1, its actions beside it, the title of the window. */
import { useEffect, type ReactNode } from 'react';

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
  title,
  aside,
  children,
  id,
}: {
  title?: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
  id?: string;
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

/** A panel that stays closed until somebody wants it: what is finished, or of use to few. */
export function FoldedPanel({ title, children }: { title: ReactNode; children: ReactNode }) {
  return (
    <details className="aw-panel aw-fold">
      <summary>
        <h2>{title}</h2>
      </summary>
      {children}
    </details>
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
