#!/usr/bin/env php
<?php
// deliver = command:store-message.php DATABASE
// Puts each message into a table of an SQLite database, a row for each recipient, all or none.
declare(strict_types=1);

const LATER = 75;

try {
    $envelope = json_decode(file_get_contents('php://fd/3'), true, 16, JSON_THROW_ON_ERROR);
    $content = stream_get_contents(STDIN);
    $db = new PDO('sqlite:' . $argv[1], null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_TIMEOUT => 5]);
    $db->beginTransaction();
    $db->exec('CREATE TABLE IF NOT EXISTS message (id TEXT, sender TEXT, recipient TEXT, client TEXT, content BLOB)');
    $row = $db->prepare('INSERT INTO message VALUES (?, ?, ?, ?, ?)');
    foreach ($envelope['recipients'] as $recipient) {
        $row->bindValue(1, $envelope['id']);
        $row->bindValue(2, $envelope['sender']);
        $row->bindValue(3, $recipient['address']);
        $row->bindValue(4, $envelope['client']['address']);
        $row->bindValue(5, $content, PDO::PARAM_LOB);
        $row->execute();
    }
    $db->commit();
} catch (Throwable $e) {
    fwrite(STDERR, $e->getMessage() . "\n");
    exit(LATER);
}
