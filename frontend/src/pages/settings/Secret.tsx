/* A secret that is shown once: it can be copied, and is gone with the page. */
import { Copyable } from '../../components/Copyable';
import { Icon } from '../../components/Icon';

export function Secret({ text, secret }: { text: string; secret: string }) {
  return (
    <div className="aw-note aw-good" role="status">
      <Icon name="check" />
      <div style={{ minWidth: 0 }}>
        <p>{text}</p>
        <Copyable text={secret} />
      </div>
    </div>
  );
}
